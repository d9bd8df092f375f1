"""What the dialog of a rollout says before anybody begins it."""

import pytest
from django.db.models.functions import Now
from django.http import QueryDict

from console.pages import rollout_preview
from console.pages.rollout_forms import RampForm
from tests.rollouts.bench import at_baseline
from validation.models import Slot

pytestmark = pytest.mark.django_db


def why_not(key: str, target: str) -> str:
    form = RampForm(
        None, flag=(flag := at_baseline(key)), asked=QueryDict(), target=target, gates=()
    )
    return rollout_preview.of_ramp(flag, form).why_not


def test_it_says_that_a_stage_leaves_nobody_to_compare_with() -> None:
    Slot.objects.create(fleet="web", number=0, holder="web:0", seen_at=Now())
    assert why_not("web.compression", "gzip").startswith("5 % reaches 1 of 1 web process: nobody")
    Slot.objects.create(fleet="web", number=1, holder="web:1", seen_at=Now())
    # Of two one is reached by each of its stages, but for the last, and one is left.
    assert why_not("web.compression", "gzip") == ""


def test_it_says_that_items_are_not_compared_with_requests() -> None:
    assert why_not("logging.requests", "sampled").startswith(
        "logging.requests is read by workers and web processes"
    )
