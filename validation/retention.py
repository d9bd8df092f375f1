"""What is deleted with time."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from validation.models import Item, Run, RunState

DRAFT_LIFE = timedelta(hours=24)


def forget_old_drafts() -> int:
    """Deletes drafts that nobody started within a day; returns how many."""
    old = Run.objects.filter(
        state=RunState.DRAFT, created_at__lt=timezone.now() - DRAFT_LIFE
    ).values_list("pk", flat=True)
    return sum(forget_draft(pk) for pk in old)


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
