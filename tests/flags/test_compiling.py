"""Stages become targeting that flagd's own evaluator decides: sticky, monotone, exact."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from math import ceil
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.contrib.tools.flagd.core.targeting import targeting as flagd_targeting
from openfeature.contrib.tools.flagd.core.targeting.custom_ops import fractional
from openfeature.evaluation_context import EvaluationContext

from console.flags.compiling import compiled, effective_stage, flag_set, is_held, unmet
from console.flags.models import Flag
from console.flags.states import FlagState

KEYS = tuple(f"tx:0x{n:064x}" for n in range(100_000))
STAGES = (5, 25, 50)


def state(**changed: Any) -> FlagState:
    return replace(
        FlagState(
            key="cache.kinds", variants={"tx": "tx", "all": "all"}, baseline="tx", target="all",
            rest="tx", unit="item", units=("item", "process"), title="Kinds", revision=4,
        ),
        **changed,
    )  # fmt: skip


def core(*flags: FlagState) -> FlagdCore:
    found = FlagdCore()
    found.set_flags(flag_set(flags, revision=9))
    return found


def ask(
    evaluator: FlagdCore, key: str | None = None, /, *, flag: str = "cache.kinds", **attributes: Any
) -> tuple[str | None, str | None, Mapping[str, Any]]:
    found = evaluator.resolve_string_value(flag, "?", EvaluationContext(key, attributes))
    return found.variant, found.reason, found.flag_metadata


@cache
def treated(stage: int) -> set[str]:
    """By flagd's operator alone, on what the flag compiles to: the whole evaluator takes 50 µs."""
    split = compiled(state(stage=stage))["targeting"]["if"][1]["fractional"]
    named = {"flagKey": "cache.kinds"}
    return {
        key for key in KEYS if fractional({"targetingKey": key, "$flagd": named}, *split) == "all"
    }


def test_the_operator_alone_decides_as_the_whole_evaluator() -> None:
    evaluator, having = core(state(stage=25)), treated(25)
    for key in KEYS[:2_000]:
        assert (ask(evaluator, key)[0] == "all") == (key in having)


def test_items_keep_what_they_have_and_as_many_as_the_stage_says_have_it() -> None:
    before: set[str] = set()
    for stage in STAGES:
        now = treated(stage)
        assert before < now, "somebody lost it as the stage rose"
        assert abs(len(now) / len(KEYS) - stage / 100) < 0.005
        before = now
    again = compiled(state(stage=50, title="Under another title", revision=77))
    assert again["targeting"] == compiled(state(stage=50))["targeting"]


def test_two_flags_split_items_differently() -> None:
    evaluator = core(state(stage=50), state(key="rpc.fetch_mode", stage=50))
    both = sum(
        ask(evaluator, key)[0] == ask(evaluator, key, flag="rpc.fetch_mode")[0] == "all"
        for key in KEYS[:2_000]
    )
    assert 0.2 < both / 2_000 < 0.3


@pytest.mark.parametrize("processes", range(1, 17))
def test_exactly_so_many_processes_have_it_and_none_loses_it(processes: int) -> None:
    before: set[int] = set()
    for stage in range(1, 100):
        rule = compiled(state(unit="process", stage=stage))["targeting"]
        now = {
            rank
            for rank in range(processes)
            if flagd_targeting(
                "k", rule, EvaluationContext(None, {"rank": rank, "processes": processes})
            )
            == "all"
        }
        assert len(now) == ceil(stage * processes / 100)
        assert before <= now
        before = now


def test_without_a_rank_or_a_key_the_rest_holds() -> None:
    by_process = core(state(unit="process", stage=99))
    assert ask(by_process, "tx:0x1")[0] == "tx"
    assert ask(by_process, "tx:0x1", rank=0)[0] == "tx"
    assert ask(by_process, "tx:0x1", rank=0, processes=1)[0] == "all"
    by_item = core(state(stage=99))
    assert ask(by_item)[:2] == ("tx", "DEFAULT")
    assert ask(by_item, "")[:2] == ("tx", "DEFAULT")


def test_a_time_slot_has_one_variant_and_so_many_slots_have_the_target(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1_800_000_000
    monkeypatch.setattr("time.time", lambda: now)
    evaluators = [core(state(unit="time_slot", slot_s=60, stage=stage)) for stage in STAGES]
    had = [0] * len(STAGES)
    for slot in range(1_000):
        now = 1_800_000_000 + slot * 60
        at_once = [ask(each)[0] for each in evaluators]
        now += 59
        assert [ask(each, "anybody", rank=3)[0] for each in evaluators] == at_once
        assert sorted(map(str, at_once), reverse=True) == at_once, "a slot lost it"
        had = [count + (found == "all") for count, found in zip(had, at_once, strict=True)]
    for stage, count in zip(STAGES, had, strict=True):
        assert abs(count / 1_000 - stage / 100) < 0.04


@pytest.mark.parametrize("unit", ["item", "process", "time_slot"])
@pytest.mark.parametrize(("stage", "variant"), [(0, "tx"), (100, "all")])
def test_none_and_all_need_no_targeting(unit: str, stage: int, variant: str) -> None:
    found = compiled(state(unit=unit, stage=stage))
    assert (found["defaultVariant"], "targeting" in found) == (variant, False)
    assert ask(core(state(unit=unit, stage=stage)))[:2] == (variant, "STATIC")


def test_the_document_says_what_it_was_made_of() -> None:
    document = flag_set([state(stage=25)], revision=9)
    assert document["metadata"]["flagSetId"] == "switchyard"
    told = ask(core(state(stage=25)), "tx:0x1")[2]
    named = ("unit", "stage", "target", "rest", "baseline", "revision", "flagSetId", "title")
    assert [told[name] for name in named] == [
        *("item", 25, "all", "tx", "tx", 4, "switchyard", "Kinds")
    ]
    assert all(isinstance(value, str | int | bool) for value in told.values())


def test_off_gives_whoever_asks_its_own_default() -> None:
    found = core(state(stage=100, enabled=False))
    assert ask(found)[:2] == (None, "DISABLED")


def test_targeting_of_its_own_is_given_on_as_it_is() -> None:
    rule = {"if": [{"==": [{"var": "country"}, "NZ"]}, "all"]}
    evaluator = core(state(stage=50, targeting=rule))
    assert ask(evaluator, country="NZ")[:2] == ("all", "TARGETING_MATCH")
    assert ask(evaluator, "tx:0x1")[:2] == ("tx", "DEFAULT")
    assert effective_stage(state(stage=50, targeting=rule), held=False) == 0


BUDGETED = ({"flag": "rpc.retry", "variant": "budgeted"},)


def retry(**changed: Any) -> FlagState:
    variants = {"none": "none", "budgeted": "budgeted"}
    wanted = {"target": "budgeted", "rest": "none", **changed}
    return state(key="rpc.retry", variants=variants, baseline="none", unit="process", **wanted)


@pytest.mark.parametrize(
    ("changed", "is_met"),
    [
        ({"stage": 100}, True),
        ({"stage": 50}, False),
        ({"stage": 0}, False),
        ({"stage": 0, "rest": "budgeted"}, True),
        ({"stage": 50, "rest": "budgeted"}, True),
        ({"stage": 100, "enabled": False}, False),
        ({"stage": 100, "targeting": {"if": [True, "budgeted"]}}, False),
        ({"stage": 100, "requires": ({"flag": "cache.kinds", "variant": "all"},)}, False),
        ({"stage": 100, "requires": ({"flag": "nobody", "variant": "on"},)}, False),
    ],
    ids=str,
)
def test_a_flag_is_held_at_0_until_what_it_requires_is_in_force_everywhere(
    changed: dict[str, Any], is_met: bool
) -> None:
    needy, other = state(stage=100, requires=BUDGETED), retry(**changed)
    known = {flag.key: flag for flag in (needy, other)}
    assert is_held(needy, known) is not is_met
    assert unmet(needy, known) == ([] if is_met else [("rpc.retry", "budgeted")])
    variant, _, told = ask(core(needy, other), "tx:0x1")
    assert variant == ("all" if is_met else "tx")
    assert told.get("held", False) is not is_met
    assert told["stage"] == (100 if is_met else 0)


def test_a_row_and_its_state_compile_alike() -> None:
    row = Flag(
        key="cache.kinds", title="Kinds", type="string", variants={"tx": "tx", "all": "all"},
        baseline="tx", target="all", rest="tx", stage=25, units=["item", "process"], revision=4,
    )  # fmt: skip
    assert compiled(row) == compiled(FlagState.of(row))
