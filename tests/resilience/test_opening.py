"""When a breaker opens, for how long, and what it then says to those it refuses."""

from random import Random

import pytest

from tests.resilience.fakes import Bench, CallerFault, Clock, NodeFault
from validation.resilience import Breaker, BreakerConfig, State


def test_consecutive_failures_open_before_there_are_enough_calls_for_a_rate() -> None:
    bench = Bench(min_calls=100, consecutive_failures=3)
    bench.fail(2)
    assert bench.state() is State.CLOSED
    bench.fail()
    assert bench.state() is State.OPEN
    assert bench.changes[0].cause == "3 failures in a row"


def test_a_success_between_them_breaks_the_row() -> None:
    bench = Bench(min_calls=100, consecutive_failures=3)
    for _ in range(5):
        bench.fail(2)
        bench.succeed()
    assert bench.state() is State.CLOSED


def test_a_row_is_broken_by_a_good_call_also_after_the_window_forgot_the_failures() -> None:
    bench = Bench(min_calls=100, consecutive_failures=3)
    bench.fail(2)
    bench.clock.advance(60)
    bench.succeed()
    bench.fail(2)
    assert bench.state() is State.CLOSED


def test_zero_consecutive_failures_means_never() -> None:
    bench = Bench(min_calls=100, consecutive_failures=0)
    bench.fail(99)
    assert bench.state() is State.CLOSED


@pytest.mark.parametrize("window", ["time", "count", "list"])
def test_the_failure_rate_opens_at_its_threshold(window: str) -> None:
    bench = Bench(window=window, min_calls=10, failure_rate=0.4, consecutive_failures=0)
    bench.succeed(6)
    bench.fail(3)
    assert bench.state() is State.CLOSED
    bench.fail()
    assert bench.state() is State.OPEN
    assert bench.changes[0].cause == "4 of 10 calls failed"


@pytest.mark.parametrize("window", ["time", "count", "list"])
def test_no_rate_opens_below_the_least_number_of_calls(window: str) -> None:
    bench = Bench(window=window, min_calls=10, failure_rate=0.1, consecutive_failures=0)
    bench.fail(9)
    assert bench.state() is State.CLOSED
    bench.succeed()  # the tenth call, though a good one, makes it nine of ten
    assert bench.state() is State.OPEN


@pytest.mark.parametrize("window", ["time", "count", "list"])
def test_slow_calls_open_though_each_succeeds(window: str) -> None:
    bench = Bench(window=window, min_calls=4, slow_rate=0.5, slow_s=1.0)
    bench.succeed(2)
    bench.succeed(took_s=1.0)
    assert bench.state() is State.CLOSED
    bench.succeed(took_s=5.0)
    assert bench.state() is State.OPEN
    assert bench.changes[0].cause == "2 of 4 calls were slow"


def test_the_callers_own_errors_never_open() -> None:
    bench = Bench(consecutive_failures=1, min_calls=1)
    for _ in range(50):
        bench.settle(bench.breaker.admit(), CallerFault("bad parameter"))
    report = bench.breaker.report()
    assert (report.state, report.calls, report.failures) == ("closed", 0, 0)


def test_an_error_that_does_not_say_counts() -> None:
    bench = Bench(consecutive_failures=1)
    bench.settle(bench.breaker.admit(), OSError("connection reset"))
    assert bench.state() is State.OPEN


def test_failures_that_the_window_forgot_do_not_open() -> None:
    bench = Bench(window_s=30, min_calls=2, failure_rate=0.5, consecutive_failures=0)
    bench.fail()
    bench.clock.advance(31)
    bench.succeed(3)
    bench.fail()
    assert bench.state() is State.CLOSED


def test_an_open_breaker_refuses_and_says_for_how_long() -> None:
    bench = Bench(consecutive_failures=1, open_s=5)
    bench.fail()
    bench.clock.advance(2)
    refused = bench.rejection()
    assert (refused.retry_after_s, refused.forced) == (3.0, False)
    assert not refused.trips_breaker
    assert str(refused) == "breaker node:a:lookup is open; it lets a probe pass in 3.0 s"
    assert bench.breaker.retry_in_s() == 3.0
    assert not bench.breaker.admits()


def test_it_becomes_half_open_by_the_clock_without_a_call() -> None:
    bench = Bench(consecutive_failures=1, open_s=5)
    bench.fail()
    bench.clock.advance(5)
    assert bench.breaker.report().state == "half_open"
    assert bench.told() == [("closed", "open"), ("open", "half_open")]


def test_a_change_that_is_seen_late_is_dated_when_it_was_due() -> None:
    bench = Bench(consecutive_failures=1, open_s=5)
    bench.fail()
    bench.clock.advance(65)
    first, second = bench.breaker.report().transitions
    assert 0 < first.at - second.at < 60.5  # the wall clock stood: 60 s before, and not now


def test_each_trip_without_a_calm_opens_for_longer_up_to_a_bound() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, open_max_s=30, half_open_calls=1)
    waits = []
    for _ in range(5):
        bench.fail()
        waits.append(bench.breaker.retry_in_s())
        bench.clock.advance(waits[-1] or 0)
    assert waits == [5, 10, 20, 30, 30]


def test_flapping_keeps_growing_though_it_closes_in_between() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, half_open_calls=1, calm_s=60)
    waits = []
    for _ in range(3):
        bench.fail()
        waits.append(bench.breaker.retry_in_s())
        bench.clock.advance(waits[-1] or 0)
        bench.succeed()
        bench.clock.advance(30)
    assert waits == [5, 10, 20]


def test_a_calm_forgets_earlier_trips() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, half_open_calls=1, calm_s=60)
    bench.half_open()
    bench.succeed()
    bench.clock.advance(60)
    bench.fail()
    assert bench.breaker.retry_in_s() == 5


def test_jitter_keeps_processes_apart_within_its_bounds() -> None:
    clock = Clock()
    waits = set()
    for seed in range(200):
        config = BreakerConfig(consecutive_failures=1, open_s=10, jitter=0.2)
        breaker = Breaker("l2", config, clock=clock, random=Random(seed))
        breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
        waits.add(breaker.retry_in_s())
    assert len(waits) > 190
    assert all(wait is not None and 8 <= wait <= 12 for wait in waits)


def test_an_answer_from_before_the_trip_changes_nothing() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, half_open_calls=1)
    early = [bench.breaker.admit() for _ in range(3)]
    bench.fail()
    bench.settle(early[0], NodeFault("late"))
    assert bench.breaker.retry_in_s() == 5
    bench.clock.advance(5)
    bench.settle(early[1])
    assert bench.state() is State.HALF_OPEN
    bench.succeed()
    bench.settle(early[2], NodeFault("from another life"))
    report = bench.breaker.report()
    assert (report.state, report.calls, report.trips) == ("closed", 0, 1)
