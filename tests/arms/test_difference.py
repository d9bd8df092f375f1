"""What was done between two looks: never negative, and nothing of those that nobody heard."""

import itertools

import pytest

from monitoring.arms import BOUNDS_S, Arms, Work, difference
from tests.arms.made import FLAG, arms, told, work

ONE, TWO = "coalesced", "single"


def test_it_is_what_was_added_under_each_variant_over_all_processes() -> None:
    before = [
        told(arms("a", flags={FLAG: {ONE: work([0.1] * 5)}})),
        told(arms("b", flags={FLAG: {ONE: work([0.1])}})),
    ]
    now = [
        told(arms("a", flags={FLAG: {ONE: work([0.1] * 7, failed=1), TWO: work([0.3])}})),
        told(arms("b", flags={FLAG: {ONE: work([0.1, 0.2])}})),
    ]
    found = difference(now, before)
    assert found.keys() == {FLAG}
    one, two = found[FLAG][ONE], found[FLAG][TWO]
    assert (one.units, one.failed, two.units, two.failed) == (3, 1, 1, 0)
    assert one.seconds == pytest.approx(0.4)
    assert two == work([0.3])
    assert sum(one.buckets) == 3


def test_where_nothing_was_done_it_is_nothing_and_no_figure() -> None:
    same = [told(arms())]
    nothing = difference(same, same)[FLAG][ONE]
    assert nothing == Work()
    assert (nothing.error_share, nothing.mean_s, nothing.p95_s) == (None, None, None)


@pytest.mark.parametrize(
    "again",
    [
        arms(started_at=2_000.0, flags={FLAG: {ONE: work([0.1] * 20)}}),
        arms(flags={FLAG: {ONE: work([0.1] * 3)}}),
        # As many, but not the same.
        arms(flags={FLAG: {ONE: work([0.2] * 12)}}),
    ],
    ids=["by its start", "by fewer", "by another bucket"],
)
def test_a_process_that_restarted_counts_from_zero(again: Arms) -> None:
    before = [told(arms(flags={FLAG: {ONE: work([0.1] * 12), TWO: work([0.1])}}))]
    assert difference([told(again)], before)[FLAG] == again.flags[FLAG]


@pytest.mark.parametrize(("age_now", "age_before"), [(5.1, 0.5), (0.5, 5.1)])
def test_one_that_is_silent_at_either_look_gives_nothing(age_now: float, age_before: float) -> None:
    before = [told(arms(flags={FLAG: {ONE: work([0.1])}}), age_s=age_before)]
    now = [told(arms(flags={FLAG: {ONE: work([0.1] * 2)}}), age_s=age_now)]
    assert difference(now, before) == {}


def test_a_word_that_is_older_than_the_one_before_it_adds_nothing() -> None:
    """Of two that look, one read it and was held up before it counted."""
    older = told(arms(up_s=500.0, flags={FLAG: {ONE: work([0.1] * 3)}}))
    newer = told(arms(up_s=501.0, flags={FLAG: {ONE: work([0.1] * 9)}}))
    assert difference([older], [newer]) == {}
    assert difference([newer], [older])[FLAG][ONE].units == 6


def test_one_that_began_between_the_looks_counts_from_zero() -> None:
    before = [told(arms("a"), read_at=100.0)]
    young = arms("b", up_s=3.0, flags={FLAG: {TWO: work([0.1])}})
    found = difference([told(young, read_at=105.0)], before)
    assert found == {FLAG: {TWO: work([0.1])}}


def test_one_that_the_first_look_missed_does_not_pour_its_whole_life_into_the_window() -> None:
    before = [told(arms("a"), read_at=100.0)]
    old = arms("b", up_s=3_600.0)
    assert difference([told(old, read_at=105.0)], before) == {}
    assert difference([told(old, read_at=105.0)], []) == {}


def test_one_kind_alone_is_counted_where_it_is_named() -> None:
    before = [told(arms("w", flags={})), told(arms("p", kind="web", flags={}))]
    now = [
        told(arms("w", flags={FLAG: {ONE: work([0.1])}})),
        told(arms("p", kind="web", flags={FLAG: {ONE: work([0.9])}})),
    ]
    assert difference(now, before, kind="web")[FLAG][ONE] == work([0.9])
    assert difference(now, before)[FLAG][ONE].units == 2


def test_a_p95_that_moves_by_thirty_percent_is_seen_and_one_that_does_not_is_not() -> None:
    for p95 in (0.00031, 0.0047, 0.09, 1.7):
        usual = [p95 * share / 95 for share in range(1, 101)]
        plain, slower = work(usual).p95_s, work([1.3 * s for s in usual]).p95_s
        again = work([1.02 * s for s in usual]).p95_s
        assert plain is not None
        assert slower is not None
        assert again is not None
        assert plain == pytest.approx(p95, rel=0.05)
        assert slower / plain == pytest.approx(1.3, rel=0.06)
        assert again / plain < 1.1


def test_bounds_are_close_and_reach_from_what_l1_answers_to_what_no_item_takes() -> None:
    assert BOUNDS_S[0] <= 0.0001
    assert BOUNDS_S[-1] > 60
    assert all(b / a <= 1.12 for a, b in itertools.pairwise(BOUNDS_S))
