"""What is deleted with time, whatever the settings say; `console.retention` does the rest."""

from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from validation.models import Anchor, Catch, Evidence, Item, Orphan, Retraction, Run, RunState

DRAFT_LIFE = timedelta(hours=24)
ORPHAN_LIFE = timedelta(hours=24)
EVIDENCE_BYTES = 2 << 30
"""Of all bundles and timelines together, as the table stores them."""
CATCHES = 20_000
"""Of all nodes together, also those that are removed; `catches.KEPT_A_NODE` bounds each."""


def forget_old_drafts() -> int:
    """Deletes drafts that nobody started within a day; returns how many."""
    old = Run.objects.filter(
        state=RunState.DRAFT, created_at__lt=timezone.now() - DRAFT_LIFE
    ).values_list("pk", flat=True)
    return sum(forget_draft(pk) for pk in old)


def forget_orphans() -> int:
    """Deletes orphaned blocks that everybody has heard of, and what is left of runs that are gone.

    Verdicts stay retracted; a verdict given later in such a block is found by looking it up.
    """
    with connection.cursor() as cursor:
        for model in (Anchor, Retraction, Evidence, Catch):
            cursor.execute(_DROP_LEFT.format(table=model._meta.db_table), [_LEFT_AT_ONCE])  # noqa: SLF001 - Django's own name for what is public
    old = Orphan.objects.filter(seen_at__lt=Now() - ORPHAN_LIFE)
    # A verdict that rests on one is retracted first.
    resting = Anchor.objects.filter(block_hash=OuterRef("block_hash"))
    return old.filter(~Exists(resting)).delete()[0]


def forget_evidence(before: datetime, *, most: int) -> int:
    """Deletes what was kept of items before that time, so many rows at most; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_DROP_OLD, [before, most])
        return int(cursor.rowcount)


def forget_most_evidence() -> int:
    """Deletes the oldest where there is too much; returns how many."""
    with connection.cursor() as cursor:
        cursor.execute(_TABLE_BYTES)
        # No smaller than what is in it: most of the time this says that there is room.
        if cursor.fetchone()[0] <= EVIDENCE_BYTES:
            return 0
        cursor.execute(_DROP_OLDEST, {"most": EVIDENCE_BYTES})
        return int(cursor.rowcount)


def forget_catches() -> int:
    """Deletes the oldest where there are too many; returns how many."""
    ids = Catch.objects.order_by("-id").values_list("id", flat=True)
    newest_too_many = ids[CATCHES : CATCHES + 1].first()
    if newest_too_many is None:
        return 0
    return Catch.objects.filter(id__lte=newest_too_many).delete()[0]


def forget_draft(pk: int) -> bool:
    """Deletes a draft with its items; False where it is no draft any more."""
    with transaction.atomic():
        # Locked first: whoever starts it at this moment waits, and finds it gone.
        draft = Run.objects.select_for_update().filter(pk=pk, state=RunState.DRAFT).first()
        if draft is None:
            return False
        draft.delete()
        Item.objects.filter(run_id=pk).delete()
    return True


# Of runs that retention dropped, `dropped.sweep` takes the rows.
_LEFT_AT_ONCE = 100_000
_DROP_LEFT = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} of_run WHERE run_id IS NOT NULL
    AND NOT EXISTS (SELECT FROM validation_run WHERE id = of_run.run_id)
    AND NOT EXISTS (SELECT FROM validation_droppedrun d WHERE d.run_id = of_run.run_id)
    LIMIT %s))
"""

_DROP_OLD = """
DELETE FROM validation_evidence WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM validation_evidence WHERE kept_at < %s ORDER BY kept_at LIMIT %s))
"""

_TABLE_BYTES = "SELECT pg_total_relation_size('validation_evidence')"

_DROP_OLDEST = """
DELETE FROM validation_evidence e USING (
    SELECT run_id, ordinal, sum(
        coalesce(pg_column_size(bundle), 0) + coalesce(pg_column_size(spans), 0)
    ) OVER (
        ORDER BY kept_at DESC, run_id DESC, ordinal DESC
    ) AS held FROM validation_evidence
) aged
WHERE aged.held > %(most)s AND e.run_id = aged.run_id AND e.ordinal = aged.ordinal
"""
