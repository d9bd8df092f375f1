"""What no unit has yet waits for a drill that came back, whoever raises it and however."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.controls import RoleTooLow, reverting
from console.flags import acts, flagd_file, importing, plans, reading, telling
from console.flags.errors import OneWay, Unrehearsed
from console.flags.models import Flag, PlannedStage
from console.rehearsals import rehearsing, running
from console.rehearsals.models import Rehearsal, State
from tests.controls.conftest import empty_cache  # noqa: F401 - a fixture, found by name
from tests.controls.test_command import run
from tests.flags.made import actor, flag, newest
from tests.rehearsals.made_up import ACTOR, drilled

pytestmark = pytest.mark.django_db

KEY = "cache.codec"
WHY = "Holds at one percent since Monday"


def stage(percent: int, target: str = "gzip", **more: Any) -> Flag:
    return acts.set_stage(more.pop("actor", ACTOR), KEY, stage=percent, target=target,
                          reason=WHY, **more)  # fmt: skip


def stands() -> tuple[str, int]:
    found = Flag.objects.get(pk=KEY)
    return found.target, found.stage


@pytest.fixture(autouse=True)
def at_the_baseline(db: None) -> None:
    acts.roll_back(ACTOR, KEY, reason=WHY)


def test_what_was_never_rehearsed_is_refused_with_the_way_to_a_drill() -> None:
    before = stands()
    with pytest.raises(Unrehearsed, match=r"manage\.py rehearse cache.codec --target gzip") as told:
        stage(5)
    assert told.value.variant == "gzip"
    assert stands() == before
    preview = reading.preview(KEY, stage=5, target="gzip")
    assert (preview.lack_drills, preview.rehearsed) == (("gzip",), "not rehearsed")
    assert preview.why_not == str(told.value)
    assert reading.preview(KEY, stage=5, target="gzip", needs_drill=False).why_not == ""


def test_one_that_passed_lets_it_out() -> None:
    drilled()
    assert reading.preview(KEY, stage=5, target="gzip").why_not == ""
    assert stage(5).stage == 5


@pytest.mark.parametrize(
    "made",
    [
        {"code": "other"},
        {"ended_at": timezone.now() - timedelta(days=8)},
        {"target": "brotli"},
        {"flag": "web.compression"},
        {"state": State.NOT_RUN},
        {"state": State.INTERRUPTED},
        {"state": State.RUNNING},
    ],
)
def test_another_drill_does_not(made: dict[str, Any]) -> None:
    drilled(**made)
    with pytest.raises(Unrehearsed):
        stage(5)


def test_what_some_have_already_is_raised_and_lowered_without_another() -> None:
    drilled()
    stage(5)
    Rehearsal.objects.all().delete()
    assert stage(50).stage == 50
    assert stage(25).stage == 25
    assert acts.roll_back(ACTOR, KEY, reason=WHY).stage == 0
    # By now nobody has it.
    with pytest.raises(Unrehearsed):
        stage(5)


def test_the_rest_waits_for_one_too() -> None:
    drilled(target="zstd")
    with pytest.raises(Unrehearsed, match=r"cache\.codec at gzip"):
        stage(5, "zstd", rest="gzip")
    drilled(target="gzip")
    assert stage(5, "zstd", rest="gzip").rest == "gzip"


def test_what_operators_brought_is_free() -> None:
    assert acts.set_stage(actor(), flag().key, stage=5, target="new", reason=WHY).stage == 5


def test_an_admin_may_go_without_and_the_trail_says_so() -> None:
    with pytest.raises(RoleTooLow, match="Going without a drill"):
        stage(5, actor=actor("operator"), unrehearsed=True)
    assert stage(5, unrehearsed=True).stage == 5
    assert telling.both(newest())[1] == "gzip on 5 %, base64 else, without a drill of gzip"
    stage(25, unrehearsed=True)
    assert "unrehearsed" not in newest().after
    acts.roll_back(ACTOR, KEY, reason=WHY)
    stage(50, "zstd", rest="brotli", unrehearsed=True)
    assert newest().after["unrehearsed"] == "zstd, brotli"


def test_nobody_goes_on_after_one_that_failed() -> None:
    drilled(state=State.FAILED)
    with pytest.raises(OneWay):
        stage(5, unrehearsed=True)
    # Nor is a way past offered.
    assert reading.preview(KEY, stage=5, target="gzip").lack_drills == ()


def test_switched_off_all_have_what_ships_and_that_needs_a_way_back_too() -> None:
    """`zstd-fast` ships, and nobody has it: the flag was rolled back."""
    acts.disable(actor("admin"), KEY, reason=WHY)
    assert newest().after["unrehearsed"] == "zstd-fast"
    acts.enable(actor("admin"), KEY, reason=WHY)
    assert "unrehearsed" not in newest().after
    drilled(target="zstd-fast", state=State.FAILED)
    with pytest.raises(OneWay):
        acts.disable(actor("admin"), KEY, reason=WHY)


def test_switched_on_again_it_is_given_out_anew() -> None:
    drilled()
    stage(25)
    acts.disable(actor("admin"), KEY, reason=WHY)
    Rehearsal.objects.all().delete()
    acts.enable(actor("admin"), KEY, reason=WHY)
    assert newest().after["unrehearsed"] == "gzip"
    acts.disable(actor("admin"), KEY, reason=WHY)
    drilled(state=State.FAILED)
    with pytest.raises(OneWay):
        acts.enable(actor("admin"), KEY, reason=WHY)


def test_what_a_file_gives_out_is_told_where_no_drill_came_back_from_it() -> None:
    document = json.loads(flagd_file.write(Flag.objects.all()))
    document["flags"][KEY]["metadata"] |= {"target": "gzip", "stage": 100}
    importing.import_file(actor("admin"), document, reason=WHY)
    before, after = telling.both(newest())
    assert "unrehearsed" not in before
    assert after.endswith(", without a drill of gzip")
    assert stands() == ("gzip", 100)


def test_what_cannot_be_rehearsed_says_why_and_needs_an_admin() -> None:
    key = "db.pool_formula"
    acts.roll_back(ACTOR, key, reason=WHY)
    with pytest.raises(Unrehearsed, match="would take the connections") as told:
        acts.set_stage(ACTOR, key, stage=100, target="deployment", reason=WHY)
    assert told.value.variant == ""
    made = acts.set_stage(ACTOR, key, stage=100, target="deployment", unrehearsed=True, reason=WHY)
    assert made.stage == 100


def test_what_is_taken_back_to_was_let_in_once() -> None:
    drilled()
    stage(25)
    acts.roll_back(ACTOR, KEY, reason=WHY)
    entry = newest()
    Rehearsal.objects.all().delete()
    reverting.revert(actor("admin"), entry, reason=WHY)
    assert stands() == ("gzip", 25)


def test_a_plan_begins_with_one_and_its_first_step_needs_it_still() -> None:
    Flag.objects.filter(pk=KEY).update(target="gzip", bake_s={})
    with pytest.raises(Unrehearsed):
        plans.plan(ACTOR, KEY, through=25, reason=WHY)
    assert not PlannedStage.objects.exists()
    drilled()
    plans.plan(ACTOR, KEY, through=25, reason=WHY)
    Rehearsal.objects.update(state=State.FAILED)
    with pytest.raises(OneWay):
        plans.plan(ACTOR, KEY, through=25, reason=WHY)
    Rehearsal.objects.update(state=State.PASSED, code_revision="other")
    PlannedStage.objects.update(at=Flag.objects.get(pk=KEY).staged_at)
    [step] = plans.run_due()
    assert step.state == "refused"
    assert "no drill of this code" in step.note
    assert stands() == ("gzip", 0)


# Needs no node and no cache server.
WEB, BROTLI = "web.compression", "brotli"


def test_at_a_terminal_the_drill_is_run_first() -> None:
    acts.roll_back(ACTOR, WEB, reason=WHY)
    status, said = run(WEB, BROTLI, "--stage", "50", command="flag")
    assert status == 0, said
    assert "web.compression at brotli is rehearsed first" in said
    assert Rehearsal.objects.get().state == State.PASSED
    assert Flag.objects.get(pk=WEB).stage == 50
    # What is known is not tried again.
    acts.roll_back(ACTOR, WEB, reason=WHY)
    status, said = run(WEB, BROTLI, "--stage", "5", command="flag")
    assert (status, "rehearsed first" in said) == (0, False)
    acts.roll_back(ACTOR, WEB, reason=WHY)
    Rehearsal.objects.all().delete()
    assert run(WEB, BROTLI, "--unrehearsed", command="flag")[0] == 0
    assert not Rehearsal.objects.exists()


def test_at_a_terminal_what_is_done_during_the_drill_is_not_overwritten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def meanwhile(*_: object) -> Rehearsal:
        acts.set_stage(actor(name="eve"), KEY, stage=0, target="brotli", reason=WHY)
        return drilled()

    monkeypatch.setattr(rehearsing, "run_now", meanwhile)
    status, said = run(KEY, "gzip", command="flag")
    assert (status, "eve changed" in said) == (2, True), said
    assert stands() == ("brotli", 0)


def test_at_a_terminal_a_drill_that_cannot_be_run_changes_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def none(_: object) -> None:
        raise rehearsing.Busy("drill-7 runs: two at a time would measure each other.")

    monkeypatch.setattr(rehearsing, "run", none)
    status, said = run(KEY, "gzip", command="flag")
    assert (status, "drill-7 runs" in said, "--unrehearsed" in said) == (2, True, True)
    assert stands()[1] == 0
    assert Rehearsal.objects.get().state == State.INTERRUPTED
    # What waits for somebody else waits on.
    others = running.make(KEY, "gzip", ACTOR)
    assert run(KEY, "gzip", command="flag")[0] == 2
    others.refresh_from_db()
    assert others.state == State.QUEUED
    with pytest.raises(Unrehearsed, match=f"{others} of it is on its way"):
        stage(5)
    until = timezone.now() + timedelta(seconds=60)
    Rehearsal.objects.filter(pk=others.pk).update(state=State.RUNNING, lease_until=until)
    monkeypatch.undo()
    status, said = run(KEY, "gzip", command="flag")
    assert (status, f"{others} of it runs already, until {until:%H:%M:%S} UTC" in said) == (2, True)
    assert run("--stage", "3", command="flag")[0] == 2
    acts.roll_back(ACTOR, "db.pool_formula", reason=WHY)
    status, said = run("db.pool_formula", "deployment", command="flag")
    assert (status, "--unrehearsed" in said) == (2, True)
