"""One figure of a window, how sure it is, and why there is none."""

import math

import msgspec
import pytest

from console.roadmap.gates.reckoning import pointwise, reckon
from console.roadmap.gates.rows import Load, Measure
from tests.gates.made_up import family, measure, series


def test_points_are_told_by_what_is_asked_of_them() -> None:
    found = series("a", 1, 2, 3, 4, 5, 9)
    assert reckon(measure(), found).value == 4
    assert reckon(measure(by="max"), found).value == 9
    assert reckon(measure(by="min"), found).value == 1
    assert reckon(measure(by="p95"), found).value == 9
    assert reckon(measure(by="mean", scale=1000.0), found).value == 4000


def test_of_one_gauge_the_highest_within_a_step_counts() -> None:
    found = series("a", 1, 1, 1, 1, 1, 1, highs=(1, 7, 1, None, 1, 1))
    assert reckon(measure(by="max"), found).value == 7


def test_several_are_added_up_where_all_are_known() -> None:
    both = measure(figures=("a", "b"), least=4)
    found = series("a", 1, 1, 1, 1, 1, 1) | series("b", 2, None, 2, 2, 2, 2)
    told = reckon(both, found)
    assert (told.value, told.samples) == (3, 5)


def test_growth_is_the_last_fifth_against_the_first() -> None:
    growth = measure(by="growth")
    assert reckon(growth, series("a", 100, 200, 150, 50, 120, 110)).value == pytest.approx(10)
    none = reckon(growth, series("a", 0, 1, 1, 1, 1, 1))
    assert none.value is None
    assert "grown from" in none.why


def test_a_ratio_is_of_all_that_was_counted_not_of_its_moments() -> None:
    ratio = measure(by="ratio", figures=("bad",), per=("all",), scale=100.0, least=100)
    # A quiet moment with one failure of two weighs as two of the thousand.
    found = series("bad", 0.1, 0, 0, 0, 0, 0) | series("all", 0.2, 20, 20, 20, 20, 20)
    told = reckon(ratio, found)
    assert told.value == pytest.approx(100 * 1 / 1002)
    assert told.samples == 1002


def test_a_figure_may_be_a_part_of_what_it_is_a_ratio_of() -> None:
    ratio = measure(by="ratio", figures=("hit",), per=("hit", "read"), least=10)
    found = series("hit", *[3.0] * 6) | series("read", *[1.0] * 6)
    assert reckon(ratio, found).value == pytest.approx(0.75)


def test_an_average_is_the_sum_over_the_number() -> None:
    told = reckon(measure(by="average", family="http", scale=1000.0), family("http", {}, 600, 30))
    assert told.value == pytest.approx(50)


def quantile(at: float, **more: object) -> Measure:
    return measure(by="quantile", family="http", at=at, scale=1000.0, **more)


def test_a_percentile_lies_between_two_bounds() -> None:
    found = family("http", {0.05: 900, 0.06: 960, 0.08: 1000}, 1000, 40)
    told = reckon(quantile(0.95), found)
    assert told.low == pytest.approx(50)
    assert told.high == pytest.approx(60)
    # In a straight line: the 950th is five sixths of the way.
    assert told.value == pytest.approx(50 + 10 * 50 / 60)
    assert told.samples == 1000


def test_a_percentile_at_a_bound_is_no_more_than_that_bound() -> None:
    told = reckon(quantile(0.95), family("http", {0.05: 950, 0.06: 1000}, 1000, 40))
    assert told.high == pytest.approx(50)


def test_a_percentile_beyond_the_last_bound_has_no_end() -> None:
    told = reckon(quantile(0.95), family("http", {0.05: 100}, 1000, 4_000))
    assert told.low == pytest.approx(1000)
    assert math.isinf(told.high)


def test_buckets_that_do_not_fit_each_other_are_no_figure() -> None:
    told = reckon(quantile(0.95), family("http", {0.05: 900, 0.06: 400}, 1000, 40))
    assert told.value is None
    assert "do not fit" in told.why


def test_what_was_never_asked_has_no_share_and_no_percentile() -> None:
    for one in (quantile(0.95), measure(by="average", family="http", counted="requests")):
        told = reckon(one, family("http", {}, 0, 0))
        assert told.value is None
        assert "There were no " in told.why


def test_no_point_is_no_figure() -> None:
    told = reckon(measure(), series("a", *[None] * 6))
    assert (told.value, told.samples, told.age_s) == (None, 0, None)
    assert told.why == "Nothing was measured in the last 1 min."


def test_a_history_that_lacks_a_series_is_no_figure() -> None:
    assert reckon(measure(figures=("a", "b")), series("a", 1)).value is None


def test_gaps_beyond_their_share_are_no_figure() -> None:
    one_gap = series("a", 1, None, 1, 1, 1, 1)
    assert reckon(measure(gaps=0.2, least=1), one_gap).value == 1
    two_gaps = series("a", 1, None, None, 1, 1, 1)
    told = reckon(measure(gaps=0.2, least=1), two_gaps)
    assert told.value is None
    assert told.why == "Of the last 1 min 66.6% is known; 80% is the least."
    assert told.known == pytest.approx(4 / 6)


def test_fewer_samples_than_it_takes_are_no_figure() -> None:
    found = series("a", *[1.0] * 6)
    assert reckon(measure(least=6), found).value == 1
    told = reckon(measure(least=7), found)
    assert (told.value, told.samples) == (None, 6)
    assert "7 is the least" in told.why


def test_of_requests_the_least_is_of_requests() -> None:
    few = family("http", {0.01: 50}, 50, 1)
    assert reckon(quantile(0.95, least=50, counted="requests"), few).value is not None
    told = reckon(quantile(0.95, least=51, counted="requests"), few)
    assert told.value is None
    assert told.why == "50 requests in the last 1 min; 51 is the least."


def test_what_is_stale_is_no_figure_however_much_there_is_of_it() -> None:
    points = [1.0] * 100
    assert reckon(measure(window_s=1_200.0), series("a", *points, *[None] * 12)).value == 1
    told = reckon(measure(window_s=1_200.0), series("a", *points, *[None] * 13))
    assert told.value is None
    assert told.age_s == 130
    assert told.why == "Nothing was measured for 2.2 min."


def test_a_line_has_a_gap_where_nothing_is_known() -> None:
    ratio = measure(by="ratio", figures=("bad",), per=("all",))
    found = series("bad", 1, None, 0) | series("all", 4, 4, 0)
    assert pointwise(ratio, found) == (0.25, None, None)
    assert pointwise(measure(scale=10.0), series("a", 1, None)) == (10, None)
    assert pointwise(measure(), {}) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "quantile", "family": "http"},
        {"by": "quantile", "family": "of nobody", "at": 0.5},
        {"by": "average", "family": "http", "figures": ("a",)},
        {"by": "ratio"},
        {"by": "mean", "per": ("a",)},
        {"by": "mean", "figures": ()},
    ],
)
def test_a_measure_that_says_too_little_or_too_much_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises((ValueError, msgspec.ValidationError)):
        measure(**wrong)


UP = {"by": "up", "figures": ("db", "web"), "scale": 100.0, "gaps": 0.5, "least": 3}


def test_time_that_nobody_knows_may_have_been_either() -> None:
    web = series("web", 7, 7, None, 7, 7, 7)
    told = reckon(measure(**UP), web | series("db", *[1] * 6))
    assert [told.low, told.high] == pytest.approx([500 / 6, 100])
    down = reckon(measure(**UP), web | series("db", 1, 1, 1, 0, 1, 1))
    assert [down.low, down.high] == pytest.approx([400 / 6, 500 / 6])
    whole = reckon(measure(**UP), series("web", *[7] * 6) | series("db", *[1] * 6))
    assert (whole.low, whole.high) == (100, 100)


def test_what_is_still_to_be_told_is_not_unknown() -> None:
    found = series("web", 7, 7, 7, 7, 7, None) | series("db", *[1] * 6)
    told = reckon(measure(**UP), found)
    assert (told.low, told.high) == (100, 100)


def test_a_share_is_never_rounded_up_to_the_least() -> None:
    nearly = measure(gaps=0.001, least=1)
    told = reckon(nearly, series("a", *[1.0] * 1990, *[None] * 3, *[1.0] * 7))
    assert "99.8% is known; 99.9% is the least" in told.why


@pytest.mark.parametrize(
    ("done", "grown"),
    [((0.0,) * 6, 0), ((None,) * 6, 0), ((1.0, None) * 3, 30), ((2.0,) * 6, None)],
)
def test_of_a_fleet_that_did_nothing_it_says_so(
    done: tuple[float | None, ...], grown: int | None
) -> None:
    under = measure(load=Load(figure="all", least=100, counted="items"))
    told = reckon(under, series("a", *[1] * 6) | series("all", *done))
    why = f"{grown} items in the last 1 min: it takes 100 to be under load."
    assert (told.value, told.idle) == (1, "" if grown is None else why)
