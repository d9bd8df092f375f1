"""Moving a flag: who may, why, from which revision, and what stands in the way."""

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest

from console import controls
from console.access.models import AuditEntry
from console.controls import ControlError, Refused, RoleTooLow, UnknownFlag
from console.flags import acts, clock, definition_acts, freezing, guards
from console.flags.errors import Blocked, Frozen, NotStageable
from console.flags.models import Flag, Freeze
from monitoring import events
from tests.flags.made import VARIANTS, WHY, actor, flag, newest
from validation.models import Control, ControlRevision

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"


def stands(key: str = KEY) -> tuple[str, str, int]:
    found = Flag.objects.get(pk=key)
    return found.target, found.rest, found.stage


def test_a_stage_is_one_revision_one_entry_and_one_event(
    django_capture_on_commit_callbacks: Callable[..., object],
) -> None:
    seen = flag().revision
    with (
        patch.object(events, "publish") as told,
        django_capture_on_commit_callbacks(execute=True),  # type: ignore[attr-defined]
    ):
        moved = acts.set_stage(actor(), KEY, stage=25, reason=f"  {WHY} ", based_on=seen)
    assert stands() == ("new", "old", 25)
    assert (moved.revision, ControlRevision.objects.get().value) == (seen + 1, seen + 1)
    assert Control.objects.get(kind="flags", name="").revision == seen + 1
    entry = newest()
    assert (entry.kind, entry.target, entry.action, entry.revision) == (
        "flags", KEY, "stage", seen + 1,
    )  # fmt: skip
    before = {"target": "new", "rest": "old", "stage": 0, "unit": "process", "enabled": True}
    assert (entry.before, entry.after) == (before, before | {"stage": 25})
    assert (entry.reason, moved.reason, moved.actor) == (WHY, WHY, "ada")
    assert AuditEntry.objects.filter(action="stage").count() == 1
    nudges = [call.args for call in told.call_args_list if "controls" in call.args]
    assert [set(topics) for topics in nudges] == [{"controls", "flags", f"flag:{KEY}", "overview"}]


def test_another_target_rests_on_the_baseline_unless_another_is_named() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=100, reason=WHY)
    acts.set_stage(actor(), KEY, stage=25, target="newer", reason=WHY)
    assert stands() == ("newer", "old", 25)
    acts.set_stage(actor(), KEY, stage=50, target="newer", rest="new", reason=WHY)
    assert stands() == ("newer", "new", 50)
    acts.set_stage(actor(), KEY, stage=75, reason=WHY)
    assert stands() == ("newer", "new", 75)
    acts.roll_back(actor(), KEY, reason=WHY)
    assert stands() == ("newer", "old", 0)
    assert newest().action == "roll_back"


@pytest.mark.parametrize("stage", [-1, 101, True, 2.5, "25", None, 2**70])
def test_what_is_no_percent_is_refused(stage: object) -> None:
    flag()
    with pytest.raises(Refused, match="whole percent"):
        acts.set_stage(actor(), KEY, stage=stage, reason=WHY)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"target": "nope"}, "target: 'nope' is not one of"),
        ({"rest": "nope"}, "rest: 'nope' is not one of"),
        ({"unit": "item"}, "unit: 'item' is not one of process"),
        ({"reason": "because"}, "reason"),
    ],
)
def test_what_is_refused_names_field_and_value(fields: dict[str, str], says: str) -> None:
    flag()
    before = AuditEntry.objects.count()
    with pytest.raises(Refused, match=says):
        acts.set_stage(actor(), KEY, stage=5, **({"reason": WHY} | fields))  # type: ignore[arg-type]
    assert stands() == ("new", "old", 0)
    assert AuditEntry.objects.count() == before


def test_what_changes_nothing_is_no_change() -> None:
    flag()
    with pytest.raises(Refused, match=r"checkout\.codec is old already"):
        acts.roll_back(actor(), KEY, reason=WHY)


def test_roles() -> None:
    flag()
    with pytest.raises(RoleTooLow, match="Moving a stage needs the role operator"):
        acts.set_stage(actor("viewer"), KEY, stage=5, reason=WHY)
    for admins in (acts.disable, acts.enable):
        with pytest.raises(RoleTooLow, match="admin"):
            admins(actor(), KEY, reason=WHY)
    acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    with pytest.raises(RoleTooLow):
        acts.roll_back(actor("viewer"), KEY, reason=WHY)


def test_a_flag_that_is_not_there() -> None:
    with pytest.raises(UnknownFlag, match="'nope'"):
        acts.set_stage(actor(), "nope", stage=5, reason=WHY)


def test_what_nothing_reads_cannot_be_staged() -> None:
    flag()
    Flag.objects.filter(pk=KEY).update(builtin=True, wired=False)
    with pytest.raises(NotStageable, match="not wired yet"):
        acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    flag("of.others", targeting={"if": [True, "new", "old"]})
    with pytest.raises(NotStageable, match="targeting of its own"):
        acts.set_stage(actor(), "of.others", stage=5, reason=WHY)


def test_off_is_the_askers_own_default_and_may_be_rolled_back_but_not_raised() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    acts.disable(actor("admin"), KEY, reason=WHY)
    with pytest.raises(NotStageable, match="is off"):
        acts.set_stage(actor(), KEY, stage=75, reason=WHY)
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    acts.roll_back(actor(), KEY, reason=WHY)
    acts.enable(actor("admin"), KEY, reason=WHY)
    assert stands() == ("new", "old", 0)


def test_a_requirement_holds_raising_back_and_says_which() -> None:
    flag("base.codec")
    flag(requires=[{"flag": "base.codec", "variant": "new"}])
    acts.set_stage(actor(), "base.codec", stage=50, reason=WHY)
    with pytest.raises(Blocked, match=r"requires base\.codec at new .* new on 50 %, old else"):
        acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    acts.set_stage(actor(), "base.codec", stage=100, reason=WHY)
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    # Lowering what it requires is free, and says what it holds back.
    acts.roll_back(actor(), "base.codec", reason=WHY)
    assert guards.holds_back("base.codec", guards.all_flags()) == (KEY,)
    with pytest.raises(Blocked):
        acts.set_stage(actor(), KEY, stage=75, reason=WHY)
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)


def test_of_a_layer_one_flag_at_a_time_stands_between() -> None:
    flag("one", layer="l1")
    flag("two", layer="l1")
    flag("elsewhere", layer="l2")
    acts.set_stage(actor(), "one", stage=5, reason=WHY)
    acts.set_stage(actor(), "elsewhere", stage=5, reason=WHY)
    with pytest.raises(Blocked, match=r"one of the same layer \(l1\) stands at 5 %"):
        acts.set_stage(actor(), "two", stage=5, reason=WHY)
    acts.set_stage(actor(), "two", stage=100, reason=WHY)
    acts.roll_back(actor(), "two", reason=WHY)
    acts.set_stage(actor(), "one", stage=100, reason=WHY)
    acts.set_stage(actor(), "two", stage=5, reason=WHY)


def test_frozen_only_what_lowers_is_free() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    until = clock.now() + timedelta(hours=1)
    freezing.freeze(actor(), KEY, until, reason="The quarter ends on Friday")
    with pytest.raises(Frozen, match=rf"frozen until {until:%Y-%m-%d %H:%M:%S} .*quarter ends"):
        acts.set_stage(actor(), KEY, stage=75, reason=WHY)
    with pytest.raises(Frozen):
        acts.set_stage(actor(), KEY, stage=5, target="newer", reason=WHY)
    with pytest.raises(Frozen):
        acts.disable(actor("admin"), KEY, reason=WHY)
    with pytest.raises(Frozen):
        definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    acts.roll_back(actor(), KEY, reason=WHY)
    freezing.thaw(actor(), KEY, reason=WHY)
    acts.set_stage(actor(), KEY, stage=5, reason=WHY)


def test_a_freeze_of_all_holds_each_and_any_ends_by_itself() -> None:
    flag()
    now = clock.now()
    freezing.freeze(actor(), "", now + timedelta(days=13), reason=WHY)
    with pytest.raises(Frozen, match="All flags are frozen"):
        acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    assert newest().target == ""
    Freeze.objects.update(until=now - timedelta(seconds=1))
    acts.set_stage(actor(), KEY, stage=5, reason=WHY)
    with pytest.raises(Refused, match="nothing to end"):
        freezing.thaw(actor(), "", reason=WHY)


@pytest.mark.parametrize("days", [-1, 0, 14.01])
def test_a_freeze_lasts_fourteen_days_at_most(days: float) -> None:
    flag()
    until = clock.now() + timedelta(days=days)
    with pytest.raises(Refused, match="within 14 days"):
        freezing.freeze(actor(), KEY, until, reason=WHY)
    with pytest.raises(Refused, match="within 14 days"):
        freezing.freeze(actor(), KEY, until.replace(tzinfo=None), reason=WHY)
    with pytest.raises(RoleTooLow):
        freezing.freeze(actor("viewer"), KEY, until, reason=WHY)
    with pytest.raises(UnknownFlag):
        freezing.freeze(actor(), "nope", until, reason=WHY)


def test_who_saw_an_older_revision_is_told_what_holds_now() -> None:
    seen = flag().revision
    acts.set_stage(actor(name="bea"), KEY, stage=25, reason=WHY, based_on=seen)
    says = rf"bea changed this .*you saw {seen}.*Now: new on 25 %, old else, revision {seen + 1}"
    with pytest.raises(controls.Conflict, match=says) as told:
        acts.set_stage(actor(), KEY, stage=50, reason=WHY, based_on=seen)
    assert told.value.current.revision == seen + 1
    assert stands()[2] == 25


def test_an_admin_makes_edits_and_deletes_what_the_release_did_not_bring() -> None:
    made = flag(bake_s={"5": 60}, description="Which codec.")
    assert (made.type, made.builtin, made.stage, made.rest) == ("string", False, 0, "old")
    acts.set_stage(actor(), KEY, stage=50, reason=WHY)
    with pytest.raises(Refused, match="target: 'new' is not one of old, other"):
        definition_acts.edit(
            actor("admin"), KEY, {"variants": {"old": "a", "other": "b"}}, reason=WHY
        )
    with pytest.raises(Refused, match="a change"):
        definition_acts.edit(actor("admin"), KEY, {"bake_s": {"5": 60}}, reason=WHY)
    changed = definition_acts.edit(actor("admin"), KEY, {"slot_s": 5, "layer": "x"}, reason=WHY)
    assert (changed.slot_s, changed.layer, changed.stage) == (5, "x", 50)
    flag("dependent", requires=[{"flag": KEY, "variant": "new"}])
    with pytest.raises(Refused, match="dependent requires it"):
        definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)
    definition_acts.delete(actor("admin"), "dependent", reason=WHY, confirm="dependent")
    with pytest.raises(Refused, match="confirm"):
        definition_acts.delete(actor("admin"), KEY, reason=WHY)
    definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)
    assert not Flag.objects.filter(pk=KEY).exists()
    for act in (
        lambda: definition_acts.create(actor(), "x", {"variants": VARIANTS}, reason=WHY),
        lambda: definition_acts.edit(actor(), "x", {}, reason=WHY),
        lambda: definition_acts.delete(actor(), "x", reason=WHY),
    ):
        with pytest.raises(RoleTooLow):
            act()


def test_of_a_flag_of_the_release_only_its_baking_is_edited() -> None:
    flag()
    Flag.objects.filter(pk=KEY).update(builtin=True, wired=True)
    edited = definition_acts.edit(actor("admin"), KEY, {"bake_s": {"25": 5}}, reason=WHY)
    assert edited.bake_s == {"25": 5}
    with pytest.raises(Refused, match="is the release's"):
        definition_acts.edit(actor("admin"), KEY, {"title": "Mine"}, reason=WHY)
    with pytest.raises(Refused, match="created here"):
        definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)


@pytest.mark.parametrize(
    ("key", "fields", "says"),
    [
        ("Nope", {"variants": VARIANTS}, "key: 'Nope'"),
        ("a/b", {"variants": VARIANTS}, "key"),
        ("k", {}, "variants"),
        ("k", {"variants": {}}, "variants"),
        ("k", {"variants": {"a": 1, "b": "x"}}, "of one type"),
        ("k", {"variants": {"a": None}}, "of one type"),
        ("k", {"variants": {"a b": 1}}, "variants.a b"),
        ("k", {"variants": VARIANTS, "baseline": "x"}, "baseline"),
        ("k", {"variants": VARIANTS, "unit": "person"}, "unit"),
        ("k", {"variants": VARIANTS, "unit": "item", "units": ["process"]}, "unit"),
        ("k", {"variants": VARIANTS, "slot_s": 0}, "slot_s"),
        ("k", {"variants": VARIANTS, "bake_s": {"5": -1}}, "bake_s.5"),
        ("k", {"variants": VARIANTS, "bake_s": {"x": 1}}, "bake_s.x"),
        ("k", {"variants": VARIANTS, "fleet": "ships"}, "fleet"),
        ("k", {"variants": VARIANTS, "requires": [{"flag": "x"}]}, "requires"),
        ("k", {"variants": VARIANTS, "requires": [{"flag": "x", "variant": "y"}]}, "requires"),
        ("k", {"variants": VARIANTS, "requires": [{"flag": "k", "variant": "old"}]}, "requires"),
        ("k", {"variants": VARIANTS, "metadata": {"a": []}}, "metadata"),
        ("k", {"variants": VARIANTS, "targeting": "x"}, "targeting"),
        ("k", {"variants": VARIANTS, "targeting": {"log": ["x"]}}, "targeting: 'log'"),
        ("k", {"variants": VARIANTS, "stage": 5}, "fields: 'stage'"),
        ("k", {"variants": VARIANTS, "wired": True}, "fields: 'wired'"),
    ],
)
def test_a_definition_that_is_none(key: str, fields: dict[str, object], says: str) -> None:
    with pytest.raises(ControlError, match=says):
        definition_acts.create(actor("admin"), key, fields, reason=WHY)
    assert not AuditEntry.objects.filter(action="create").exists()


@pytest.mark.parametrize(
    ("variants", "kind"),
    [({"a": True}, "boolean"), ({"a": 1}, "integer"), ({"a": 1.5, "b": 2}, "float"),
     ({"a": {"x": 1}}, "object")],
)  # fmt: skip
def test_the_type_follows_from_the_values(variants: dict[str, object], kind: str) -> None:
    assert flag(variants=variants, baseline="a").type == kind
