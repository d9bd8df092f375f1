"""The wrapped forms: every way a call can end is an outcome, or none, and leaves nothing behind."""

import asyncio
import gc
import inspect
import threading
import weakref

import pytest

from tests.resilience.fakes import Bench, CallerFault, NodeFault
from validation.resilience import BreakerConfig, Breakers, CallTimedOut, Rejected, State


async def answer(value: int) -> int:
    return value


async def refuse(error: BaseException) -> int:
    raise error


def seen(bench: Bench) -> tuple[int, int]:
    report = bench.breaker.report()
    return report.calls, report.failures


async def test_the_answer_and_the_error_are_the_calls_own() -> None:
    bench = Bench()
    assert await bench.breaker.call(answer, 3) == 3
    error = NodeFault("no answer")
    with pytest.raises(NodeFault) as caught:
        await bench.breaker.call(refuse, error)
    assert caught.value is error
    assert seen(bench) == (2, 1)


async def test_its_own_duration_makes_a_call_slow() -> None:
    bench = Bench(slow_s=1, slow_rate=1, min_calls=1)

    async def drag() -> None:
        bench.clock.advance(1)

    await bench.breaker.call(drag)
    assert bench.state() is State.OPEN


async def test_an_open_breaker_does_not_call() -> None:
    bench = Bench(consecutive_failures=1)
    bench.fail()
    with pytest.raises(Rejected):
        await bench.breaker.call(answer, 3)
    assert bench.breaker.report().rejected == 1


@pytest.mark.parametrize("fallback", [lambda error: 7, lambda error: answer(7)])
async def test_a_fallback_answers_for_a_fault_and_for_a_refusal(fallback: object) -> None:
    bench = Bench(consecutive_failures=1)
    for _ in range(2):
        got = await bench.breaker.call_with(refuse, NodeFault(), fallback=fallback)  # type: ignore[arg-type]
        assert got == 7
    assert bench.state() is State.OPEN


async def test_no_fallback_hides_the_callers_own_mistake() -> None:
    bench = Bench()
    with pytest.raises(CallerFault):
        await bench.breaker.call_with(refuse, CallerFault(), fallback=lambda error: 7)


async def test_a_call_that_takes_too_long_is_cancelled_and_counts() -> None:
    bench = Bench(consecutive_failures=1)
    ended = False

    async def never() -> None:
        nonlocal ended
        try:
            await asyncio.Event().wait()
        finally:
            ended = True

    with pytest.raises(CallTimedOut, match=r"node:a:lookup: no answer within 0\.01 s"):
        await bench.breaker.call_with(never, timeout_s=0.01)
    assert ended
    assert bench.state() is State.OPEN


async def test_timeouts_leave_no_timers() -> None:
    bench = Bench()
    loop = asyncio.get_running_loop()
    made: list[weakref.ref[asyncio.TimerHandle]] = []
    call_at = loop.call_at

    def spy(*args: object, **kwargs: object) -> asyncio.TimerHandle:
        handle = call_at(*args, **kwargs)  # type: ignore[arg-type]
        made.append(weakref.ref(handle))
        return handle

    loop.call_at = spy  # type: ignore[method-assign]
    try:
        for _ in range(20):
            assert await bench.breaker.call_with(answer, 1, timeout_s=3600) == 1
            with pytest.raises(CallerFault):
                await bench.breaker.call_with(refuse, CallerFault(), timeout_s=3600)
    finally:
        del loop.call_at
    gc.collect()
    handles = [ref() for ref in made]
    assert len(handles) == 40
    assert all(handle is None or handle.cancelled() for handle in handles)


async def test_the_calls_own_timeout_is_not_the_breakers() -> None:
    bench = Bench()
    with pytest.raises(TimeoutError) as caught:
        await bench.breaker.call_with(refuse, TimeoutError("its own"), timeout_s=60)
    assert not isinstance(caught.value, CallTimedOut)


async def test_being_cancelled_is_no_outcome() -> None:
    bench = Bench(consecutive_failures=1)
    with pytest.raises(asyncio.CancelledError):
        await bench.breaker.call(refuse, asyncio.CancelledError())
    assert seen(bench) == (0, 0)


async def test_a_decorated_function_keeps_its_colour_and_arguments() -> None:
    bench = Bench()

    @bench.breaker.wrap
    async def add(left: int, *, right: int) -> int:
        return left + right

    @bench.breaker.wrap
    def double(number: int) -> int:
        return 2 * number

    assert inspect.iscoroutinefunction(add)
    assert not inspect.iscoroutinefunction(double)
    assert await add(1, right=2) == 3
    assert double(number=4) == 8
    assert add.__name__ == "add"
    assert seen(bench) == (2, 0)


def test_the_sync_form_settles_every_end() -> None:
    bench = Bench(consecutive_failures=1)

    def fail() -> int:
        raise NodeFault

    assert bench.breaker.call_sync(lambda: 3) == 3
    with pytest.raises(NodeFault):
        bench.breaker.call_sync(fail)
    with pytest.raises(Rejected):
        bench.breaker.call_sync(lambda: 3)
    assert bench.breaker.call_sync(lambda: 3, fallback=lambda error: 7) == 7
    assert seen(bench) == (2, 1)


def test_sync_calls_of_many_threads_are_counted_one_by_one() -> None:
    bench = Bench()
    done = threading.Barrier(8)

    def calls() -> None:
        done.wait()
        for _ in range(500):
            bench.breaker.call_sync(int)

    threads = [threading.Thread(target=calls) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen(bench) == (4000, 0)


async def test_destroy_leaves_nothing_behind() -> None:
    bench = Bench(consecutive_failures=1)
    bench.fail()
    told = len(bench.changes)
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    bench.breaker.destroy()
    bench.clock.advance(3600)
    assert await bench.breaker.call(answer, 1) == 1  # who still holds it is not hindered
    assert len(bench.changes) == told
    assert (len(asyncio.all_tasks()), threading.active_count()) == (tasks, threads)


def test_destroyed_breakers_are_freed() -> None:
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1)})

    class Listener:
        def __call__(self, change: object) -> None: ...

    listener = Listener()
    heard = weakref.ref(listener)
    breakers = Breakers(listen=listener)
    breaker = breakers.get("l2")
    breaker.settle(breaker.admit(), error=NodeFault(), duration_s=0.1)
    breakers.destroy()
    del listener
    gc.collect()
    assert heard() is None
    assert breakers.all() == ()
    breaker.admit()
