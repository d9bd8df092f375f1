"""What the engine makes of the answers: the code's defaults, a process's flags, and the split of
items, which must be flagd's own.
"""

import os
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core import FlagdCore
from openfeature.evaluation_context import EvaluationContext

from monitoring.instruments import REGISTRY
from tests.flags.conftest import Serve
from validation import flags
from validation.deciding import DEFAULT, Decider
from validation.item_variants import Split
from validation.slots import Standing


def flag(*variants: str, default: str, **more: Any) -> dict[str, Any]:
    return {
        "state": "ENABLED",
        "variants": {name: name for name in variants},
        "defaultVariant": default,
        **more,
    }


def split(key: str, stage: int, target: str = "batch", rest: str = "coalesced") -> dict[str, Any]:
    """Of items, as it is compiled."""
    shares = [[target, stage], [rest, 100 - stage]]
    return {
        key: flag(
            target,
            rest,
            default=rest,
            targeting={"if": [{"var": "targetingKey"}, {"fractional": shares}]},
            metadata={"unit": "item", "stage": stage, "target": target, "rest": rest},
        )
    }


def counted(key: str, variant: str) -> float:
    labels = {"flag": key, "variant": variant}
    return REGISTRY.get_sample_value("switchyard_flag_evaluations_total", labels) or 0.0


def test_without_a_provider_each_flag_is_as_the_code_says() -> None:
    decisions = Decider().decide(None)
    assert {key: decision.value for key, decision in decisions.of.items()} == {
        asked.key: asked.default for asked in flags.ALL
    }
    assert {decision.variant for decision in decisions.of.values()} == {DEFAULT}
    assert decisions.value(flags.POOL_SIZE) == 8
    assert decisions.items.variant_of(flags.FETCH_MODE, "tx:0x1") == "coalesced"


def test_a_flag_of_processes_is_decided_and_counted_once_a_turn(serve: Serve) -> None:
    serve({flags.CODEC.key: flag("base64", "zstd", default="zstd")})
    before = counted(flags.CODEC.key, "zstd")
    decider = Decider()
    for turn in (1, 2):
        decisions = decider.decide(None, turn)
    assert decisions.revision == 2
    assert decisions.value(flags.CODEC) == "zstd"
    assert decisions.of[flags.CODEC.key].reason == "STATIC"
    assert decider.evaluations[flags.CODEC.key] == {"zstd": 2}
    assert counted(flags.CODEC.key, "zstd") == before + 2


@pytest.mark.parametrize(
    "served",
    [
        flag("off", "on", default="on", state="DISABLED"),
        {"state": "ENABLED", "variants": {"8": 8}, "defaultVariant": "8"},
        flag("off", "on", default="off", targeting={"if": [True, "gone", "on"]}),
    ],
    ids=["disabled", "of another type", "of a variant that is not there"],
)
def test_a_flag_that_cannot_be_read_is_as_the_code_says(
    serve: Serve, served: dict[str, Any]
) -> None:
    serve({flags.KEEP_ALIVE.key: served})
    decision = Decider().decide(None).of[flags.KEEP_ALIVE.key]
    assert (decision.variant, decision.value) == (DEFAULT, flags.KEEP_ALIVE.default)
    assert decision.reason in {"DISABLED", "ERROR"}


def test_a_process_tells_its_rank_among_those_that_live(serve: Serve) -> None:
    within = {"<": [{"*": [{"var": "rank"}, 100]}, {"*": [50, {"var": "processes"}]}]}
    serve({flags.RETRY.key: flag("none", "backoff", default="none",
           targeting={"if": [within, "backoff", "none"]})})  # fmt: skip
    living = (0, 1, 2, 5)
    found = [
        Decider().decide(Standing(number=number, living=living)).value(flags.RETRY)
        for number in living
    ]
    assert sorted(found) == ["backoff", "backoff", "none", "none"]


def test_a_split_is_flagds_own() -> None:
    core = FlagdCore()
    key = flags.FETCH_MODE.key
    lengths = ("tx:0x", "x" * 23, "x" * 24, "é", "address:" + "0" * 250, "s" * 300)
    subjects = [f"{lengths[n % 6]}{n}" for n in range(5_000)]
    core.set_flags({"flags": split(key, 25)})
    ours = Split(key, stage=25, target="batch", rest="coalesced").variant_of
    theirs = core.resolve_string_value
    differing = [
        subject for subject in subjects
        if ours(subject.encode()) != theirs(key, "", EvaluationContext(subject)).value
    ]  # fmt: skip
    assert differing == []


def test_who_has_the_target_keeps_it_as_the_stage_rises() -> None:
    subjects = [os.urandom(16).hex() for _ in range(100_000)]
    had: set[str] = set()
    for stage in (1, 5, 25, 50, 75, 99):
        variant_of = Split("a.flag", stage=stage, target="new", rest="old").variant_of
        has = {subject for subject in subjects if variant_of(subject.encode()) == "new"}
        assert had <= has
        assert abs(len(has) / len(subjects) - stage / 100) < 0.01
        had = has


def test_a_stage_of_items_is_told_as_a_split_and_asked_without_one(serve: Serve) -> None:
    serve(split(flags.FETCH_MODE.key, 25))
    decisions = Decider().decide(None)
    decision = decisions.of[flags.FETCH_MODE.key]
    assert (decision.variant, decision.value) == ("", "batch on 25 %, coalesced else")
    found = {decisions.items.variant_of(flags.FETCH_MODE, f"tx:{n}") for n in range(100)}
    assert found == {"batch", "coalesced"}


@pytest.mark.parametrize("unit", ["process", "time_slot"])
def test_a_flag_of_items_may_be_split_by_a_coarser_unit(serve: Serve, unit: str) -> None:
    served = split(flags.FETCH_MODE.key, 25)
    served[flags.FETCH_MODE.key] |= {
        "targeting": {"if": [True, "batch", "coalesced"]},
        "metadata": {"unit": unit, "stage": 25, "target": "batch", "rest": "coalesced"},
    }
    serve(served)
    decisions = Decider().decide(None)
    assert decisions.of[flags.FETCH_MODE.key].variant == "batch"
    assert {decisions.items.variant_of(flags.FETCH_MODE, f"{n}") for n in range(50)} == {"batch"}


def test_a_stage_that_is_held_back_splits_nobody(serve: Serve) -> None:
    served = split(flags.FETCH_MODE.key, 25)
    del served[flags.FETCH_MODE.key]["targeting"]
    serve(served)
    decisions = Decider().decide(None)
    assert {decisions.items.variant_of(flags.FETCH_MODE, f"{n}") for n in range(50)} == {
        "coalesced"
    }
