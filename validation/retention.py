"""What is deleted with time."""

from datetime import timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.db.models.functions import Now
from django.utils import timezone

from validation.models import Anchor, Catch, Evidence, Item, Orphan, Retraction, Run, RunState

DRAFT_LIFE = timedelta(hours=24)
ORPHAN_LIFE = timedelta(hours=24)


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
