"""A gate passes by what is known and by nothing else."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.roadmap.gates.facts import Fired, Point, Verdict
from console.roadmap.gates.judging import Found, compare, judge
from console.roadmap.gates.reckoning import Reckoned
from console.roadmap.gates.rows import (
    ByAlerts,
    ByBuilt,
    ByDrills,
    ByEvidence,
    ByLevel,
    ByLimits,
    ByMeasure,
    ByNothing,
    ByTest,
    Measure,
    Sign,
    Way,
)
from tests.gates.made_up import NOW, facts, known, measure, told

BELOW_80 = ByMeasure(measure="m", sign="<", value=80)
LINES: tuple[Sign, ...] = ("<", "<=", ">=", ">")


def of(by: Way, reckoned: Reckoned | None = None, row: Measure | None = None, **more: Any) -> Found:
    return judge(by, "p", facts(reckoned, **more), known(row or measure()))


def test_a_figure_on_the_good_side_passes() -> None:
    found = of(BELOW_80, told(79.9))
    assert (found.state, found.value, found.wanted) == ("pass", 79.9, "< 80")
    assert (found.unit, found.window_s, found.samples, found.least) == ("ms", 60, 300, 5)
    assert found.link == "/workers/"


def test_a_figure_on_the_bad_side_fails() -> None:
    assert of(BELOW_80, told(80.0)).state == "fail"
    assert of(ByMeasure(measure="m", sign="<=", value=80), told(80.0)).state == "pass"


def test_no_figure_is_never_a_pass() -> None:
    found = of(BELOW_80, Reckoned(why="Nothing was measured.", samples=3))
    assert (found.state, found.value, found.why) == ("no_data", None, "Nothing was measured.")
    assert found.samples == 3
    assert of(BELOW_80, None).state == "no_data"


@pytest.mark.parametrize(
    ("low", "high", "state"),
    [(50, 60, "pass"), (60, 80, "pass"), (60, 100, "no_data"), (80, 100, "fail"),
     (1000, math.inf, "fail"), (60, math.inf, "no_data")],
)  # fmt: skip
def test_what_lies_between_two_bounds_is_judged_where_both_are_on_one_side(
    low: float, high: float, state: str
) -> None:
    found = of(BELOW_80, told(low, low=low, high=high))
    assert found.state == state
    if state == "no_data":
        assert "Its buckets are no finer" in found.why


@given(
    st.sampled_from(LINES),
    st.floats(-1e6, 1e6),
    st.floats(-1e6, 1e6),
    st.floats(0.001, 1e6),
    st.floats(0, 1),
)
def test_an_interval_never_passes_where_a_value_within_it_would_not(
    sign: Sign, wanted: float, low: float, width: float, place: float
) -> None:
    high = low + width
    side, one = compare(sign, wanted, low, high), compare(sign, wanted, *[low + place * width] * 2)
    # At the very bound the bucket's own count decides, whichever side the bound itself is on.
    if low < low + place * width < high and side is not None:
        assert side is one


def test_low_demand_is_no_failure_and_no_pass() -> None:
    fast = ByMeasure(measure="m", sign=">", value=1000)
    asked = measure(asked=True)
    assert of(fast, told(1200), asked).state == "pass"
    found = of(fast, told(12), asked)
    assert (found.state, found.value) == ("no_data", 12)
    assert "want of demand" in found.why


def test_idle_it_is_no_pass_and_still_a_failure() -> None:
    found = of(BELOW_80, told(12, idle="0 items in the last 1 h."))
    assert (found.state, found.value) == ("no_data", 12)
    assert "0 items in the last 1 h." in found.why
    assert of(BELOW_80, told(90, idle="0 items in the last 1 h.")).state == "fail"


def verdict(name: str, *effect: float, **more: Any) -> Verdict:
    low, high = effect[1:] if effect else (0.0, 0.0)
    told_ = (effect[0], low, high) if effect else None
    return Verdict(verdict=name, effect=told_, ended_at=NOW, **({"level": None} | more))


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [
        (("proved",), "pass"),
        (("refuted",), "fail"),
        (("inconclusive",), "no_data"),
        ((), "no_data"),
        (("proved", "refuted"), "pass"),
        (("refuted", "refuted"), "fail"),
        (("refuted", "inconclusive"), "no_data"),
        (("refuted", None), "no_data"),
    ],
)
def test_evidence_is_the_newest_verdict_and_inconclusive_is_none(
    verdicts: tuple[str | None, ...], state: str
) -> None:
    names = tuple(f"c{n}" for n in range(len(verdicts) or 1))
    found = {
        name: verdict(said, -0.5, -0.6, -0.4)
        for name, said in zip(names, verdicts, strict=False)
        if said
    }
    assert of(ByEvidence(claims=names), verdicts=found).state == state


def test_where_a_figure_is_said_the_whole_interval_must_reach_it() -> None:
    gate = ByEvidence(claims=("c",), sign="<=", value=-0.66)
    reached = of(gate, verdicts={"c": verdict("proved", -0.7, -0.75, -0.67)})
    assert (reached.state, reached.unit) == ("pass", "%")
    assert reached.value == pytest.approx(-70)
    assert "-70.0% (-75.0% to -67.0%)" in reached.why
    perhaps = {"c": verdict("proved", -0.66, -0.7, -0.6)}
    assert of(gate, verdicts=perhaps).state == "no_data"
    short = {"c": verdict("proved", -0.4, -0.5, -0.3)}
    assert of(gate, verdicts=short).state == "fail"


@pytest.mark.parametrize(
    ("effect", "baseline", "state"),
    [((-0.3, -0.39, -0.17), 54.4, "no_data"), ((-0.5, -0.55, -0.45), 54.4, "pass"),
     ((-0.1, -0.12, -0.08), 54.4, "fail"), ((-0.5, -0.55, -0.45), None, "no_data")],
)  # fmt: skip
def test_what_is_said_in_a_unit_is_judged_in_it(
    effect: tuple[float, ...], baseline: float | None, state: str
) -> None:
    gate = ByEvidence(claims=("c",), sign="<=", value=-20.0, unit="ms")
    found = of(gate, verdicts={"c": verdict("proved", *effect, baseline=baseline)})
    assert (found.state, found.wanted, found.unit) == (state, "<= -20", "ms")
    if baseline is not None:
        assert found.value == pytest.approx(54.4 * effect[0])


def test_a_level_of_an_inconclusive_experiment_is_none() -> None:
    gate = ByLevel(claim="c", sign="<", value=0.4, unit="ms")
    found = of(gate, verdicts={"c": verdict("inconclusive", level=0.1)})
    assert (found.state, found.value) == ("no_data", 0.1)


def test_an_inconclusive_experiment_reaches_nothing() -> None:
    gate = ByEvidence(claims=("c",), sign="<=", value=-0.66)
    found = {"c": verdict("inconclusive", -0.9, -0.95, -0.8)}
    assert of(gate, verdicts=found).state == "no_data"


def test_a_level_is_what_the_treatment_came_to() -> None:
    gate = ByLevel(claim="c", sign="<", value=0.4, unit="ms", scale=0.001)
    found = of(gate, verdicts={"c": verdict("proved", level=12.0)})
    assert found.state == "pass"
    assert found.value == pytest.approx(0.012)
    assert of(gate, verdicts={"c": verdict("proved", level=500.0)}).state == "fail"
    assert of(gate, verdicts={"c": verdict("proved")}).state == "no_data"
    assert of(gate).state == "no_data"


@pytest.mark.parametrize(
    ("holds", "state"),
    [((True, True), "pass"), ((True, None), "no_data"), ((None, False), "fail"), ((), "no_data")],
)
def test_limits_and_points_all_hold_or_one_is_named(
    holds: tuple[bool | None, ...], state: str
) -> None:
    points = {f"web.{n}": Point(holds=each, words=f"limit {n}") for n, each in enumerate(holds)}
    more = {"other": Point(holds=False, words="another")}
    found = of(ByLimits(limits=("web.",)), limits=points | more)
    assert found.state == state
    assert "another" not in found.why
    assert of(ByLimits(readiness=True), readiness=points).state == state


ALERTS = ByAlerts(rules=("db.",), measure="m")


def fired(rule: str = "db.pool_used", severity: str = "critical", ago_s: float = 30) -> Fired:
    return Fired(rule=rule, severity=severity, until=NOW - timedelta(seconds=ago_s))


def test_no_alert_passes_where_somebody_watched() -> None:
    assert of(ALERTS, told(1.0), alerts=()).state == "pass"
    assert of(ALERTS, Reckoned(why="Of the last 1 min 20% is known."), alerts=()).state == "no_data"
    assert of(ALERTS, told(1.0), alerts=None).state == "no_data"


def test_hours_in_which_nobody_answered_were_not_watched() -> None:
    row = measure(scale=100.0, gaps=0.01)
    found = of(ALERTS, told(90.0), row, alerts=())
    assert (found.state, found.why) == (
        "no_data",
        "None fired, but of the window 90 ms were watched.",
    )
    assert of(ALERTS, told(99.5), row, alerts=()).state == "pass"


def test_an_alert_fails_it_though_nobody_watched_the_rest() -> None:
    found = of(ALERTS, Reckoned(why="Gaps."), alerts=(fired(),))
    assert (found.state, found.value) == ("fail", 1)
    assert "db.pool_used" in found.why


@pytest.mark.parametrize("other", [fired("cache.down"), fired(severity="warning"), fired(ago_s=61)])
def test_alerts_of_other_rules_severities_and_times_are_none_of_it(other: Fired) -> None:
    assert of(ALERTS, told(1.0), alerts=(other,)).state == "pass"


@pytest.mark.parametrize(
    ("drills", "state"),
    [
        ({"a": True, "b": True}, "pass"),
        ({"a": True}, "no_data"),
        ({"a": True, "b": None}, "no_data"),
        ({"a": None, "b": False}, "fail"),
    ],
)
def test_every_flag_of_the_phase_was_rehearsed(drills: dict[str, bool | None], state: str) -> None:
    points = {(flag, "on"): Point(holds=holds, words="drill") for flag, holds in drills.items()}
    row = known(flags={"p": (("a", ("on",)), ("b", ()))})
    assert judge(ByDrills(), "p", facts(drills=points), row).state == state
    assert judge(ByDrills(), "none", facts(drills=points), known()).state == "no_data"


@pytest.mark.parametrize(
    ("drills", "state", "said"),
    [
        ({"zstd": True}, "no_data", "codec to brotli or gzip: not rehearsed"),
        ({"brotli": True}, "pass", "1 of 1 flags."),
        ({"gzip": True, "zstd": False}, "pass", "1 of 1 flags."),
        ({"gzip": True, "brotli": False}, "fail", "codec to brotli: drill"),
        ({"gzip": None}, "no_data", "codec to gzip: drill"),
    ],
)
def test_a_drill_counts_for_the_variant_that_was_rehearsed(
    drills: dict[str, bool | None], state: str, said: str
) -> None:
    points = {("codec", name): Point(holds=holds, words="drill") for name, holds in drills.items()}
    row = known(flags={"p": (("codec", ("brotli", "gzip")),)})
    found = judge(ByDrills(), "p", facts(drills=points), row)
    assert found.state == state
    assert said in found.why


def test_what_is_delivered_is_built() -> None:
    found = judge(ByBuilt(of=("a", "b")), "", facts(), known(built=frozenset({"a"})))
    assert (found.state, found.value, found.wanted) == ("fail", 1, "= 2")
    assert "b" in found.why
    assert judge(ByBuilt(of=("a",)), "", facts(), known(built=frozenset({"a"}))).state == "pass"


def test_what_cannot_be_measured_says_why_and_a_test_is_named() -> None:
    found = of(ByNothing(why="Nobody counts it."))
    assert (found.state, found.value, found.why) == ("not_measurable", None, "Nobody counts it.")
    assert "tests/a.py::test_b" in of(ByTest(tests=("tests/a.py::test_b",))).why
