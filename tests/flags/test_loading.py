"""The catalogue of a release comes into the table once, and leaves what operators wanted."""

from dataclasses import replace
from typing import Any

import pytest

from console.access.models import AuditEntry
from console.flags import acts, clock, loading, plans
from console.flags.catalogue import BY_KEY, CATALOGUE
from console.flags.models import Flag, Unit
from tests.flags.made import WHY, actor, person
from tests.rehearsals.made_up import all_drilled
from validation import flags as keys
from validation.models import Control

pytestmark = pytest.mark.django_db

EVICTION = BY_KEY["cache.l1_eviction"]


def released(**changed: Any) -> None:
    """Another release, with another definition of one flag."""
    others = [each for each in CATALOGUE if each.key != EVICTION.key]
    loading.load([*others, replace(EVICTION, **changed)])


def stand(**columns: Any) -> None:
    Flag.objects.filter(key=EVICTION.key).update(**columns)


def flag() -> Flag:
    return Flag.objects.get(key=EVICTION.key)


def test_a_migrated_database_has_the_release_flags_as_it_ships_them() -> None:
    there = {each.key: each for each in Flag.objects.all()}
    assert there.keys() == BY_KEY.keys()
    for key, definition in BY_KEY.items():
        row = there[key]
        holds = row.target if row.stage == 100 else row.rest
        assert (holds, row.rest, row.stage in {0, 100}) == (
            definition.ships, definition.baseline, True
        ), key  # fmt: skip
        assert row.target != row.rest, key
        assert row.revision == 0
        assert row.builtin


def test_what_ships_is_what_the_code_does_without_flags() -> None:
    for asked in keys.ALL:
        assert BY_KEY[asked.key].variants[BY_KEY[asked.key].ships] == asked.default, asked.key


def test_once_more_writes_nothing() -> None:
    before = list(Flag.objects.values())
    assert loading.load() == []
    assert list(Flag.objects.values()) == before


def test_a_new_release_leaves_what_operators_wanted() -> None:
    stand(target="sieve", rest="lru", stage=25, reason="Trying it.", actor="ada")
    seen = flag()
    released(title="Which entry goes", variants={**EVICTION.variants, "clock": "clock"})
    now = flag()
    assert (now.title, now.variants["clock"]) == ("Which entry goes", "clock")
    wanted = (now.target, now.rest, now.stage, now.reason, now.actor)
    assert wanted == ("sieve", "lru", 25, "Trying it.", "ada")
    # Who saw the flag has seen how it stands; processes read the words by the revision of all.
    assert (now.revision, now.changed_at) == (seen.revision, seen.changed_at)
    assert Control.objects.get(kind="flags").revision > now.revision
    assert not AuditEntry.objects.exists()


def test_other_words_end_no_plan_and_no_draft() -> None:
    person()
    all_drilled()
    stand(wired=True, target="sieve", rest="fifo", stage=0, bake_s={})
    seen = acts.set_stage(actor(), EVICTION.key, stage=5, reason=WHY).revision
    plans.plan(actor(), EVICTION.key, [(clock.now(), 25)], reason=WHY, based_on=seen)
    released(title="Which entry goes")
    assert [step.state for step in plans.run_due()] == ["done"]
    acts.roll_back(actor(), EVICTION.key, reason=WHY, based_on=flag().revision)
    assert flag().title == "Which entry goes"


@pytest.mark.parametrize("stage", [0, 25, 100])
def test_a_variant_that_is_gone_goes_to_the_baseline_and_says_so(stage: int) -> None:
    stand(target="tinylfu", rest="lru", stage=stage)
    kept = {name: name for name in EVICTION.variants if name != "tinylfu"}
    released(variants=kept)
    now = flag()
    assert (now.rest, now.stage, now.target in kept) == ("fifo", 0, True)
    assert "no variant tinylfu" in now.reason
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.target, entry.revision) == ("release", now.key, now.revision)
    assert (entry.before["target"], entry.before["stage"]) == ("tinylfu", stage)
    assert (entry.after["rest"], entry.after["stage"]) == ("fifo", 0)


def test_a_unit_that_is_gone_goes_to_the_baseline_too() -> None:
    stand(unit=Unit.ITEM, stage=50)
    released(title="Stages by processes only")
    now = flag()
    assert (now.unit, now.stage, now.rest) == ("process", 0, "fifo")
    assert "stages by item" in now.reason


def test_a_flag_that_no_release_brings_is_left_to_an_admin() -> None:
    loading.load([each for each in CATALOGUE if each.key != EVICTION.key])
    now = flag()
    assert (now.builtin, now.wired, now.stage) == (False, False, 100)


def test_an_operators_own_flag_is_not_touched() -> None:
    own = Flag.objects.create(
        key="shop.checkout", type="boolean", variants={"on": True, "off": False},
        baseline="off", target="on", rest="off", stage=5, revision=7,
    )  # fmt: skip
    released(title="Anew")
    own.refresh_from_db()
    assert (own.stage, own.revision, own.builtin) == (5, 7, False)
