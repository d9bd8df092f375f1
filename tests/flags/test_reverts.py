"""Taking back one act on a flag: all of it, by who might have done it, not what followed."""

from datetime import timedelta

import pytest

from console import controls
from console.access.models import AuditEntry
from console.controls import Conflict, NotReversible, RoleTooLow
from console.controls.reverting import stands
from console.flags import acts, clock, definition_acts, freezing, plans, telling
from console.flags.errors import Frozen
from console.flags.models import Flag, PlannedStage
from tests.flags.made import WHY, actor, flag, newest

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"


def held() -> tuple[str, str, int, str, bool]:
    found = Flag.objects.get(pk=KEY)
    return found.target, found.rest, found.stage, str(found.unit), found.enabled


def test_all_of_a_stage_comes_back() -> None:
    flag(units=["process", "time_slot"])
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    was = held()
    acts.set_stage(actor(), KEY, stage=5, target="newer", unit="time_slot", reason=WHY)
    act = newest()
    assert telling.both(act) == ("new on 50 %, old else", "newer on 5 %, old else")
    assert stands(act)
    order = controls.revert(actor(name="bea"), act, reason="It was the wrong flag")
    assert held() == was
    entry = newest()
    assert (entry.action, entry.actor, entry.reverts) == ("revert", "bea", act)
    assert (entry.before, entry.after) == (act.after, act.before)
    assert (order.kind, order.name, order.revision) == ("flags", KEY, entry.revision)
    assert order.revision == Flag.objects.get(pk=KEY).revision
    assert not stands(act)
    controls.revert(actor(), newest(), reason=WHY)
    assert held() == ("newer", "old", 5, "time_slot", True)


def test_what_was_changed_again_since_is_left_alone() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    act = newest()
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    with pytest.raises(Conflict, match="Now: new on 25 %"):
        controls.revert(actor(), act, reason=WHY)
    plans.plan(actor(), KEY, through=100, reason=WHY)
    with pytest.raises(Conflict):
        controls.revert(actor(), AuditEntry.objects.all()[1], reason=WHY)
    assert held()[2] == 25
    assert PlannedStage.objects.filter(state="waiting").exists()


def test_taking_back_may_raise_and_is_refused_as_any_raise() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    acts.roll_back(actor(), KEY, reason=WHY)
    act = newest()
    freezing.freeze(actor(), KEY, clock.now() + timedelta(hours=1), reason=WHY)
    assert not controls.is_reversible(newest())
    with pytest.raises(Frozen):
        controls.revert(actor(), act, reason=WHY)
    freezing.thaw(actor(), KEY, reason=WHY)
    controls.revert(actor(), act, reason=WHY)
    assert held()[2] == 50


def test_who_could_not_have_done_it_cannot_take_it_back() -> None:
    flag()
    created = newest()
    with pytest.raises(RoleTooLow):
        controls.revert(actor(), created, reason=WHY)
    acts.disable(actor("admin"), KEY, reason=WHY)
    with pytest.raises(RoleTooLow, match="Switching"):
        controls.revert(actor(), newest(), reason=WHY)
    controls.revert(actor("admin"), newest(), reason=WHY)
    assert held()[4]
    acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    with pytest.raises(RoleTooLow):
        controls.revert(actor("viewer"), newest(), reason=WHY)


def test_definitions_come_and_go_and_come_back() -> None:
    flag(bake_s={"5": 60})
    created = newest()
    definition_acts.edit(actor("admin"), KEY, {"slot_s": 5}, reason=WHY)
    assert telling.both(newest()) == ("slot_s 60", "slot_s 5")
    with pytest.raises(Conflict):
        controls.revert(actor("admin"), created, reason=WHY)
    controls.revert(actor("admin"), newest(), reason=WHY)
    assert Flag.objects.get(pk=KEY).slot_s == 60
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)
    gone = newest()
    assert telling.both(gone) == ("new on 25 %, old else", "not there")
    controls.revert(actor("admin"), gone, reason=WHY)
    back = Flag.objects.get(pk=KEY)
    assert (held()[:3], back.bake_s, back.type) == (("new", "old", 25), {"5": 60}, "string")
    with pytest.raises(Conflict):
        controls.revert(actor("admin"), gone, reason=WHY)
    controls.revert(actor("admin"), newest(), reason=WHY)
    assert not Flag.objects.filter(pk=KEY).exists()


def test_a_plan_is_cancelled_and_not_taken_back() -> None:
    flag()
    plans.plan(actor(), KEY, through=100, reason=WHY)
    with pytest.raises(NotReversible, match="is cancelled on the page of its flag"):
        controls.revert(actor(), newest(), reason=WHY)
