"""A half-open breaker: few probes, each given back, and a decision that always comes."""

import asyncio
from collections.abc import Callable

import pytest

from tests.resilience.fakes import Bench, CallerFault, Clock, NodeFault
from validation.resilience import Breaker, BreakerConfig, Rejected, State


def test_it_admits_no_more_probes_than_it_asks_for() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=2)
    bench.half_open()
    for _ in range(2):
        assert bench.breaker.admits()
        bench.breaker.admit()
    assert not bench.breaker.admits()
    refused = bench.rejection()
    assert (refused.retry_after_s, refused.forced) == (None, False)
    assert str(refused) == "breaker node:a:lookup is half open and its probes are all under way"


def test_enough_good_probes_close_it_with_an_empty_window() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=2)
    bench.half_open()
    bench.succeed()
    assert bench.state() is State.HALF_OPEN
    bench.succeed()
    report = bench.breaker.report()
    assert (report.state, report.calls, report.failures) == ("closed", 0, 0)
    assert bench.changes[-1].cause == "2 probes succeeded"


def test_one_failed_probe_opens_it_again() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=3)
    bench.half_open()
    bench.succeed()
    bench.fail()
    assert bench.state() is State.OPEN
    assert bench.changes[-1].cause == "a probe failed"


def test_slow_probes_open_it_again() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=2, slow_s=1.0, slow_rate=0.5)
    bench.half_open()
    bench.succeed(took_s=3.0)
    bench.succeed()
    assert bench.state() is State.OPEN
    assert bench.changes[-1].cause == "1 of 2 probes were slow"


def test_a_probe_without_an_outcome_frees_its_place() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=1)
    bench.half_open()
    bench.breaker.admit().cancel()
    bench.settle(bench.breaker.admit(), CallerFault("bad parameter"))
    bench.settle(bench.breaker.admit(), asyncio.CancelledError())
    assert bench.state() is State.HALF_OPEN
    bench.succeed()
    assert bench.state() is State.CLOSED


def test_giving_a_probe_back_twice_frees_one_place() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=2)
    bench.half_open()
    first, _ = bench.breaker.admit(), bench.breaker.admit()
    first.cancel()
    first.cancel()
    bench.settle(first, NodeFault("after it was given back"))
    bench.breaker.admit()
    bench.rejection()


def test_a_probe_that_is_lost_does_not_hold_it_for_ever() -> None:
    bench = Bench(consecutive_failures=1, open_s=5, half_open_calls=1, half_open_max_s=30)
    bench.half_open()
    lost = bench.breaker.admit()
    bench.clock.advance(30)
    assert bench.state() is State.OPEN
    assert bench.changes[-1].cause == "a probe did not come back"
    bench.clock.advance(10)
    bench.settle(lost)  # too late: it proves nothing about now
    assert bench.state() is State.HALF_OPEN
    bench.succeed()
    assert bench.state() is State.CLOSED


def test_it_waits_for_its_first_probe_as_long_as_it_takes() -> None:
    bench = Bench(consecutive_failures=1, half_open_max_s=30)
    bench.half_open()
    bench.clock.advance(3600)
    assert bench.state() is State.HALF_OPEN


def test_a_background_probe_may_say_that_it_is_time() -> None:
    bench = Bench(consecutive_failures=1, open_s=60)
    bench.fail()
    bench.breaker.hint_recovered()
    assert bench.state() is State.HALF_OPEN
    bench.breaker.hint_recovered()
    bench.succeed(2)
    bench.breaker.hint_recovered()
    assert bench.state() is State.CLOSED


async def test_a_cancelled_call_gives_its_probe_back() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=1)
    bench.half_open()
    started = asyncio.Event()

    async def never() -> None:
        started.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(bench.breaker.call(never))
    await started.wait()
    with pytest.raises(Rejected):
        await bench.breaker.call(never)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert bench.breaker.admits()


class Interrupted(BreakerConfig):
    """Another thread has its turn whenever it is asked how long to wait for a probe."""

    meanwhile: Callable[[], None] | None = None

    def __getattribute__(self, name: str) -> object:
        if name == "half_open_max_s" and (meanwhile := Interrupted.meanwhile) is not None:
            Interrupted.meanwhile = None
            meanwhile()
        return super().__getattribute__(name)


def test_a_probe_may_be_cancelled_while_its_breaker_decides_on_another_thread() -> None:
    clock = Clock()
    config = Interrupted(consecutive_failures=1, half_open_calls=1, half_open_max_s=30)
    breaker = Breaker("l2", config, clock=clock)
    breaker.settle(breaker.admit(), 0.1, NodeFault())
    breaker.hint_recovered()
    probe = breaker.admit()
    clock.advance(31)
    Interrupted.meanwhile = probe.cancel
    assert breaker.state is State.OPEN
    assert Interrupted.meanwhile is None  # it had its turn


def test_a_cancelled_probe_frees_its_place_once() -> None:
    bench = Bench(consecutive_failures=1, half_open_calls=1)
    bench.half_open()
    lost = bench.breaker.admit()
    lost.cancel()
    lost.cancel()
    found = bench.breaker.admit()
    lost.cancel()
    assert not bench.breaker.admits()
    bench.settle(lost, NodeFault("too late to count"))
    assert bench.state() is State.HALF_OPEN
    bench.settle(found)
    assert bench.state() is State.CLOSED
