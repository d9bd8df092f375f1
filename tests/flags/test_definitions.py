"""What a flag may hold: nothing that stops those who read it, nothing that nobody can keep."""

import json
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
from django.db import connection

from console.controls import Refused
from console.flags import compiling, definition_acts, flagd_file, reading
from console.flags.models import Flag
from console.flags.provider import FlagProvider
from console.flags.states import FlagState
from tests.flags.made import WHY, actor, flag

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"


def nested(depth: int) -> Any:
    found: Any = 1
    for _ in range(depth):
        found = [found]
    return found


@pytest.mark.parametrize("field", ["variants", "targeting", "metadata"])
def test_what_is_nested_deeper_than_a_reader_goes_is_refused(field: str) -> None:
    deep: dict[str, Any] = {
        "variants": {"a": nested(600), "b": [2]},
        "targeting": {"!": nested(600)},
    }
    with pytest.raises(Refused, match="nested"):
        flag("deep", **{field: deep.get(field, {"a": nested(600)})})


@pytest.mark.parametrize(
    "poison",
    [
        {"variants": {"a": nested(150), "b": [2]}},
        {"variants": {"a": nested(600), "b": [2]}},
        {"variants": {"a": nested(3_000), "b": [2]}},
        {"targeting": {"no_such_operator": []}},
        {"targeting": {"reduce": [[1] * 26, {"cat": [{"var": "accumulator"}] * 2}, "x"]}},
    ],
    ids=["150", "600", "3000", "unknown", "doubling"],
)
def test_one_row_that_no_form_let_in_keeps_nobody_from_the_others(poison: dict[str, Any]) -> None:
    flag()
    fields: dict[str, Any] = {"variants": {"a": 1, "b": 2}} | poison
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO flags_flag (key, title, description, type, enabled, variants, baseline, "
            "target, rest, stage, unit, units, slot_s, fleet, layer, requires, bake_s, targeting, "
            "metadata, builtin, wired, revision, reason, actor) VALUES ('poison', '', '', 'object',"
            " true, %s, 'a', 'b', 'a', 0, 'item', '[]', 60, '', '', '[]', '{}', %s, '{}', false, "
            "false, 0, '', '')",
            [_text(fields["variants"]), _text(fields.get("targeting"))],
        )
    provider = FlagProvider()
    assert provider.refresh(connection.connection)
    assert provider.evaluate(KEY).value == "old"
    assert provider.evaluate("poison").error_code is not None


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, dict) and isinstance(value.get("a"), list):  # deeper than json itself goes
        depth, inner = 0, value["a"]
        while isinstance(inner, list):
            depth, inner = depth + 1, inner[0]
        return f'{{"a": {"[" * depth}1{"]" * depth}, "b": [2]}}'
    return json.dumps(value)


@pytest.mark.parametrize("operator", ["map", "filter", "reduce", "all", "none", "some", "log"])
def test_a_rule_that_goes_through_lists_is_refused(operator: str) -> None:
    with pytest.raises(Refused, match=operator):
        flag(targeting={"if": [{operator: [[1, 2], True]}, "new", "old"]})


def test_evaluators_that_multiply_are_refused_in_no_time() -> None:
    names = [f"e{n}" for n in range(15)]
    evaluators: dict[str, Any] = {
        name: {"and": [{"$ref": after}] * 2} for name, after in pairwise(names)
    }
    evaluators[names[-1]] = True
    began = time.perf_counter()
    with pytest.raises(Refused, match="parts"):
        flagd_file.judged_rule("targeting", {"$ref": "e0"}, evaluators)
    assert time.perf_counter() - began < 1


def test_requirements_are_looked_at_once_each() -> None:
    states = [
        FlagState(
            key=f"l{level:02}{side}", variants={"off": False, "on": True}, baseline="off",
            target="on", rest="off", stage=100,
            requires=[{"flag": f"l{level - 1:02}{at}", "variant": "on"} for at in "ab" if level],
        )
        for level in range(25) for side in "ab"
    ]  # fmt: skip
    began = time.perf_counter()
    document = compiling.flag_set(states)
    assert time.perf_counter() - began < 1  # a minute, were each looked at by every way to it
    assert document["flags"]["l24a"]["defaultVariant"] == "on"
    states[0] = replace(states[0], enabled=False)
    assert compiling.flag_set(states)["flags"]["l24a"]["metadata"]["held"] is True


def test_requirements_that_come_round_hold_each_other_and_are_refused() -> None:
    flag("one")
    flag("two", requires=[{"flag": "one", "variant": "new"}])
    with pytest.raises(Refused, match="come back to it"):
        definition_acts.edit(
            actor("admin"), "one", {"requires": [{"flag": "two", "variant": "new"}]}, reason=WHY
        )
    Flag.objects.filter(pk="one").update(requires=[{"flag": "two", "variant": "old"}])
    held = compiling.all_unmet({one.key: one for one in Flag.objects.all()})
    assert (held["one"], held["two"]) == ([("two", "old")], [("one", "new")])


def test_requirements_go_five_levels_and_no_further() -> None:
    for level in range(6):
        needs = [{"flag": f"l{level - 1}", "variant": "new"}] if level else []
        flag(f"l{level}", requires=needs)
    with pytest.raises(Refused, match="within 5 levels"):
        flag("l6", requires=[{"flag": "l5", "variant": "new"}])
    flag("under")
    with pytest.raises(Refused, match="within 5 levels"):
        definition_acts.edit(
            actor("admin"), "l0", {"requires": [{"flag": "under", "variant": "new"}]}, reason=WHY
        )


@pytest.mark.parametrize("name", ["wanted_stage", "held", "stage", "revision"])
def test_metadata_says_nothing_that_an_export_says_of_the_flag(name: str) -> None:
    with pytest.raises(Refused, match=rf"metadata\.{name}"):
        flag(metadata={name: 100})


def test_many_flags_are_seen_in_time_that_grows_with_their_number() -> None:
    Flag.objects.bulk_create(
        Flag(key=f"f{n:04}", title="x", type="boolean", variants={"off": False, "on": True},
             baseline="off", target="on", rest="off", stage=25, units=["item"])
        for n in range(400)
    )  # fmt: skip
    began = time.perf_counter()
    assert len(reading.flags()) > 400
    assert time.perf_counter() - began < 1
