"""What a drill showed to be a way of no return is raised by nobody, and the preview says so."""

import pytest

from console.access.audit import Actor
from console.flags import acts, plans, reading
from console.flags.errors import OneWay
from console.flags.models import Flag, PlannedStage
from console.rehearsals.models import State
from tests.rehearsals.made_up import ACTOR, all_drilled, drilled

pytestmark = pytest.mark.django_db

KEY = "cache.codec"
WHY = "Holds at one percent since Monday"


def stage(percent: int, target: str = "gzip", actor: Actor = ACTOR) -> Flag:
    return acts.set_stage(actor, KEY, stage=percent, target=target, reason=WHY)


@pytest.fixture(autouse=True)
def at_the_baseline(db: None) -> None:
    acts.roll_back(ACTOR, KEY, reason=WHY)
    all_drilled()


def test_what_failed_on_this_code_is_refused() -> None:
    drill = drilled(state=State.FAILED)
    with pytest.raises(OneWay, match=f"drill {drill.pk} of .* failed on this code. 4 of 20"):
        stage(5)
    assert Flag.objects.get(pk=KEY).stage == 0
    preview = reading.preview(KEY, stage=5, target="gzip")
    assert "could not be taken back" in preview.why_not
    assert "failed. 4 of 20 entries" in preview.rehearsed
    # Another target is another matter.
    assert stage(5, "zstd").target == "zstd"


def test_one_that_passed_since_or_was_of_other_code_is_free() -> None:
    drilled(state=State.FAILED, code="other")
    assert stage(5).stage == 5
    drilled(state=State.FAILED)
    drilled()
    assert stage(25).stage == 25


def test_what_failed_since_is_lowered_and_rolled_back_freely() -> None:
    stage(50)
    drilled(state=State.FAILED)
    with pytest.raises(OneWay):
        stage(100)
    assert stage(25).stage == 25
    assert acts.roll_back(ACTOR, KEY, reason=WHY).stage == 0
    assert reading.preview(KEY, stage=0).rehearsed == ""


def test_it_is_refused_as_the_rest_too() -> None:
    drilled(state=State.FAILED)
    with pytest.raises(OneWay):
        acts.set_stage(ACTOR, KEY, stage=5, target="zstd", rest="gzip", reason=WHY)


def test_a_plan_ends_where_its_target_failed_meanwhile() -> None:
    stage(5)
    plans.plan(ACTOR, KEY, through=25, reason=WHY)
    drilled(state=State.FAILED)
    PlannedStage.objects.update(at=Flag.objects.get(pk=KEY).staged_at)
    Flag.objects.update(bake_s={})
    assert [step.state for step in plans.run_due()] == ["refused"]
    assert Flag.objects.get(pk=KEY).stage == 5
