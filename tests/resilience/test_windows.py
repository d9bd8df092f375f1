"""What each window remembers, for how long, in how much memory."""

import sys
import tracemalloc
from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.resilience.fakes import Bench
from validation.resilience import WINDOWS, BreakerConfig
from validation.resilience.window import Counts, percentiles

NAMES = sorted(WINDOWS)
calls = st.tuples(
    st.floats(0, 7),  # seconds since the call before
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize("name", NAMES)
def test_an_idle_breaker_shows_no_stale_rate(name: str) -> None:
    bench = Bench(window=name, window_s=30, min_calls=2, failure_rate=1, consecutive_failures=0)
    bench.succeed()
    bench.fail()
    assert bench.breaker.report().failure_rate == 0.5
    bench.clock.advance(31)
    report = bench.breaker.report()
    assert (report.failure_rate, report.calls, report.p95_ms) == (None, 0, None)


@given(st.lists(calls, max_size=60), st.floats(0, 40))
def test_a_time_window_counts_what_its_slices_hold(
    history: list[tuple[float, bool, bool]], pause: float
) -> None:
    window = WINDOWS["time"](BreakerConfig(window_s=30, buckets=10))
    model: list[tuple[int, bool, bool]] = []
    now = 1000.0
    for gap, failed, slow in history:
        now += gap
        model.append((int(now // 3.0), failed, slow))
        told = window.record(failed=failed, slow=slow, duration_s=0.1, now=now)
        assert told == window.counts(now) == _counts(model, int(now // 3.0))
    assert window.counts(now + pause) == _counts(model, int((now + pause) // 3.0))


def _counts(model: list[tuple[int, bool, bool]], epoch: int) -> Counts:
    kept = [call for call in model if call[0] > epoch - 10]
    return Counts(len(kept), sum(c[1] for c in kept), sum(c[2] for c in kept))


def test_a_call_just_after_a_slice_ended_belongs_to_the_next() -> None:
    bench = Bench(window_s=30, buckets=10)
    bench.clock.now = 1001.96  # slices end at multiples of 3 s
    bench.succeed()
    bench.clock.now = 1002.02
    bench.succeed()
    bench.clock.now = 1030.0
    assert bench.breaker.report().calls == 1


@given(st.lists(calls, max_size=60), st.floats(0, 40))
def test_a_count_window_counts_the_last_calls(
    history: list[tuple[float, bool, bool]], pause: float
) -> None:
    window = WINDOWS["count"](BreakerConfig(window_size=7, window_s=5))
    model: deque[tuple[bool, bool]] = deque(maxlen=7)
    now = 1000.0
    for gap, failed, slow in history:
        if now + gap - now >= 5:
            model.clear()
        now += gap
        model.append((failed, slow))
        told = window.record(failed=failed, slow=slow, duration_s=0.1, now=now)
        assert told == (len(model), sum(c[0] for c in model), sum(c[1] for c in model))
    assert window.counts(now + pause).calls == (0 if now + pause - now >= 5 else len(model))


@given(st.lists(calls, max_size=40))
def test_a_list_window_counts_the_last_seconds(history: list[tuple[float, bool, bool]]) -> None:
    window = WINDOWS["list"](BreakerConfig(window_s=10))
    model: list[tuple[float, bool, bool]] = []
    now = 1000.0
    for gap, failed, slow in history:
        now += gap
        model.append((now, failed, slow))
        kept = [call for call in model if now - call[0] < 10]
        told = window.record(failed=failed, slow=slow, duration_s=0.1, now=now)
        assert told == (len(kept), sum(c[1] for c in kept), sum(c[2] for c in kept))


def test_a_full_list_is_cut_to_its_last_half() -> None:
    window = WINDOWS["list"](BreakerConfig())
    told = [
        window.record(failed=n < 600, slow=False, duration_s=n, now=1000 + n / 1000)
        for n in range(1002)
    ]
    assert [told[place] for place in (999, 1000, 1001)] == [
        *((1000, 600, 0), (500, 99, 0), (501, 99, 0))
    ]
    assert window.latencies(1001)[0] == (501, 1.0)


@pytest.mark.parametrize("name", ["time", "count"])
def test_memory_does_not_grow_with_traffic(name: str) -> None:
    bench = Bench(window=name, window_s=30, window_size=100)

    def hour(calls_a_second: int) -> None:
        for _ in range(60):
            bench.clock.advance(1)
            bench.succeed(calls_a_second)

    hour(20)
    tracemalloc.start()
    hour(20)
    before = tracemalloc.take_snapshot()
    hour(2000)
    grown = sum(s.size_diff for s in tracemalloc.take_snapshot().compare_to(before, "filename"))
    tracemalloc.stop()
    assert grown < 100_000  # a list of those calls would be 2 MB


@pytest.mark.parametrize("name", NAMES)
def test_percentiles_tell_the_window_s_latencies(name: str) -> None:
    bench = Bench(window=name, window_s=30, window_size=1000)
    for _ in range(20):
        bench.clock.advance(1)
        bench.succeed(8, took_s=0.010)
        bench.succeed(2, took_s=0.900)
    report = bench.breaker.report()
    assert report.p50_ms == pytest.approx(10, rel=1e-6)
    assert report.p95_ms == pytest.approx(900, rel=1e-6)


def test_a_busy_slice_outweighs_a_quiet_one_in_percentiles() -> None:
    bench = Bench(window_s=30)
    bench.succeed(10, took_s=1.0)
    bench.clock.advance(3)
    bench.succeed(10_000, took_s=0.001)
    report = bench.breaker.report()
    assert report.p50_ms == report.p95_ms == pytest.approx(1, rel=1e-6)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_the_smallest_that_enough_do_not_exceed(
    durations: list[float], share: float
) -> None:
    (found,) = percentiles([(d, 1.0) for d in durations], (share,))
    assert found in durations
    below = sum(d < found for d in durations)
    upto = sum(d <= found for d in durations)
    slack = sys.float_info.epsilon * 1e8
    assert below / len(durations) <= share + slack
    assert upto / len(durations) >= share - slack
