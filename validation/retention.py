"""What is deleted with time."""

from datetime import timedelta

from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from validation.models import Anchor, Catch, Evidence, Item, Orphan, Retraction, Run, RunState

DRAFT_LIFE = timedelta(hours=24)
ORPHAN_LIFE = timedelta(hours=24)
EVIDENCE_LIFE = timedelta(days=30)
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
    gone = ~Exists(Run.objects.filter(pk=OuterRef("run_id")))
    for left in (Anchor, Retraction, Evidence):
        left.objects.filter(gone).delete()
    Catch.objects.filter(gone, run_id__isnull=False).delete()
    old = Orphan.objects.filter(seen_at__lt=Now() - ORPHAN_LIFE)
    # A verdict that rests on one is retracted first.
    resting = Anchor.objects.filter(block_hash=OuterRef("block_hash"))
    return old.filter(~Exists(resting)).delete()[0]


def forget_evidence() -> int:
    """Deletes what is kept of items for too long, and the oldest of what is too much; how many."""
    found = Evidence.objects.filter(kept_at__lt=Now() - EVIDENCE_LIFE).delete()[0]
    with connection.cursor() as cursor:
        cursor.execute(_TABLE_BYTES)
        # No smaller than what is in it: most of the time this says that there is room.
        if cursor.fetchone()[0] > EVIDENCE_BYTES:
            cursor.execute(_DROP_OLDEST, {"most": EVIDENCE_BYTES})
            found += cursor.rowcount
    return found


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
