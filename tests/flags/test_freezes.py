"""While frozen nobody gets what they had not: by no stage, definition, file or taking back."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from console import controls
from console.access.models import AuditEntry
from console.flags import acts, clock, compiling, definition_acts, freezing, importing
from console.flags.errors import Blocked, Frozen
from console.flags.models import Flag
from console.flags.standing import Standing
from console.pages import history
from tests.flags.made import WHY, actor, flag, newest

KEY = "checkout.codec"
VARIANTS = ("old", "new", "newer")
STANDINGS = some.builds(
    Standing,
    target=some.sampled_from(VARIANTS),
    rest=some.sampled_from(VARIANTS),
    stage=some.sampled_from((0, 1, 5, 25, 50, 99, 100)),
    unit=some.sampled_from(("item", "process")),
    enabled=some.just(True),
)


def having(one: Standing) -> set[str]:
    return {variant for variant in VARIANTS if one.share(variant)}


@given(STANDINGS, some.lists(STANDINGS, max_size=8))
def test_no_acts_give_a_variant_that_nobody_had(first: Standing, wanted: list[Standing]) -> None:
    stands = first
    for new in wanted:
        if not new.raises(stands, "old"):
            stands = new
    assert having(stands) <= having(first) | {"old"}


@given(STANDINGS)
def test_lowering_and_rolling_back_are_free(first: Standing) -> None:
    """Down to any stage where the others have it already, and to the baseline from anywhere."""
    told = first.as_json()
    back = Standing.from_json(told | {"stage": 0, "rest": "old"})
    assert not back.raises(first, "old")
    for stage in range(first.stage):
        lower = Standing.from_json(told | {"stage": stage})
        assert lower.raises(first, "old") is (
            first.stage == 100 and first.rest not in {"old", first.target}
        )


def frozen(key: str = "") -> None:
    freezing.freeze(actor(), key, clock.now() + timedelta(hours=1), reason=WHY)


@pytest.mark.django_db
def test_what_nobody_has_cannot_be_named_and_then_reached() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=100, reason=WHY)
    frozen()
    with pytest.raises(Frozen, match="switching off is not"):
        acts.set_stage(actor(), KEY, stage=100, rest="newer", reason=WHY)
    Flag.objects.filter(pk=KEY).update(rest="newer")
    with pytest.raises(Frozen):
        acts.set_stage(actor(), KEY, stage=0, reason=WHY)
    acts.roll_back(actor(), KEY, reason=WHY)


@pytest.mark.django_db
def test_taking_back_a_creation_deletes_nothing_while_frozen() -> None:
    flag()
    created = newest()
    frozen()
    with pytest.raises(Frozen):
        controls.revert(actor("admin"), created, reason=WHY)
    assert Flag.objects.filter(pk=KEY).exists()


@pytest.mark.django_db
def test_what_was_deleted_comes_back_neither_frozen_nor_beside_another_of_its_layer() -> None:
    flag(layer="l1")
    flag("other", layer="l1")
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    definition_acts.delete(actor("admin"), KEY, reason=WHY, confirm=KEY)
    gone = newest()
    acts.set_stage(actor(), "other", stage=25, reason=WHY)
    with pytest.raises(Blocked, match="other of the same layer"):
        controls.revert(actor("admin"), gone, reason=WHY)
    acts.set_stage(actor(), "other", stage=100, reason=WHY)
    frozen()
    with pytest.raises(Frozen):
        controls.revert(actor("admin"), gone, reason=WHY)
    freezing.thaw(actor(), "", reason=WHY)
    controls.revert(actor("admin"), gone, reason=WHY)
    assert Flag.objects.get(pk=KEY).stage == 25


@pytest.mark.django_db
def test_an_edit_or_a_file_brings_no_second_one_into_a_layer() -> None:
    flag(layer="l1")
    flag("other", layer="l2")
    for key in (KEY, "other"):
        acts.set_stage(actor(), key, stage=25, reason=WHY)
    with pytest.raises(Blocked):
        definition_acts.edit(actor("admin"), "other", {"layer": "l1"}, reason=WHY)
    document = compiling.flag_set([Flag.objects.get(pk="other")])
    document["flags"]["other"]["metadata"]["layer"] = "l1"
    with pytest.raises(Blocked):
        importing.import_file(actor("admin"), document, reason=WHY)
    # What does not touch it is free beside another.
    definition_acts.edit(actor("admin"), "other", {"title": "Another"}, reason=WHY)


@pytest.mark.django_db
def test_while_frozen_only_a_flag_at_its_baseline_is_new() -> None:
    frozen()
    flag()
    with pytest.raises(Frozen):
        flag("of.others", targeting={"if": [True, "new", "old"]})
    with pytest.raises(Frozen):
        definition_acts.edit(
            actor("admin"), KEY, {"variants": {"old": "x", "new": "y"}}, reason=WHY
        )
    definition_acts.edit(actor("admin"), KEY, {"bake_s": {"5": 60}}, reason=WHY)


@pytest.mark.django_db
def test_a_time_slot_is_not_cut_anew_while_frozen() -> None:
    flag(unit="time_slot", units=["time_slot"], slot_s=60)
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    frozen()
    with pytest.raises(Frozen):
        definition_acts.edit(actor("admin"), KEY, {"slot_s": 61}, reason=WHY)


@pytest.mark.django_db
def test_after_a_freeze_the_stage_before_it_can_be_taken_back() -> None:
    flag()
    acts.set_stage(actor(), KEY, stage=25, reason=WHY)
    staged = newest()
    frozen(KEY)
    by_row = {entry.row.pk: entry for entry in history.of("flags", KEY)}
    assert by_row[staged.pk].reversible
    assert not by_row[newest().pk].reversible
    controls.revert(actor(), staged, reason=WHY)
    assert Flag.objects.get(pk=KEY).stage == 0
    assert not history.entries(AuditEntry.objects.filter(pk__in=[newest().pk, staged.pk]))[
        1
    ].reversible
