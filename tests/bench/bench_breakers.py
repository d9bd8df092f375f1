"""Breakers beside circuitbreaker, purgatory and pybreaker: what a good call and a refusal cost.

CPU of this process, so that the machine's other work does not count. The floor of a good call is
the bare await, that of a refusal a bare raise, both in the same loop that the others run in.
"""

import asyncio
import gc
import itertools
import sys
import tracemalloc
from collections.abc import Awaitable, Callable
from time import process_time
from types import ModuleType, SimpleNamespace
from typing import Any

import circuitbreaker  # type: ignore[import-untyped]
import pybreaker

from tests.bench.lines import interleaved, show
from validation.resilience import Breaker, BreakerConfig, Breakers
from validation.resilience.machine import Surroundings

# purgatory asks for its version by a module that new setuptools no longer have.
_asked = ModuleType("pkg_resources")
_asked.DistributionNotFound = LookupError  # type: ignore[attr-defined]
_asked.get_distribution = lambda _: SimpleNamespace(version="")  # type: ignore[attr-defined]
sys.modules.setdefault("pkg_resources", _asked)
import purgatory  # noqa: E402 - after what it needs

ROUNDS = 11
CALLS = 100_000
OPEN_S = 3000.0

type Work = Callable[[], Awaitable[None]]


class NoAnswer(Exception):
    """What a node that is down does."""


async def answer() -> int:
    return 1


async def refuse() -> int:
    raise NoAnswer("no answer")


def answer_sync() -> int:
    return 1


def ours(name: str = "node:a:lookup", **config: Any) -> Breaker:
    return Breaker(name, BreakerConfig(open_s=OPEN_S, open_max_s=OPEN_S, **config))


def opened() -> Breaker:
    breaker = ours(consecutive_failures=1)
    breaker.settle(breaker.admit(), error=NoAnswer(), duration_s=0.1)
    return breaker


def ns(work: Callable[[], Awaitable[None]], calls: int = CALLS) -> Callable[[], float]:
    """Measures CPU ns a call, in a loop of its own."""

    def measure() -> float:
        async def timed() -> float:
            started = process_time()
            await work()
            return (process_time() - started) / calls * 1e9

        gc.collect()
        return asyncio.run(timed())

    return measure


def awaiting(call: Callable[..., Awaitable[Any]], *args: Any) -> Work:
    """Exactly the same loop for all of them."""
    if args:
        (fn,) = args

        async def with_function() -> None:
            for _ in range(CALLS):
                await call(fn)

        return with_function

    async def plain() -> None:
        for _ in range(CALLS):
            await call()

    return plain


def refused(call: Callable[..., Awaitable[Any]], *args: Any) -> Work:
    async def work() -> None:
        for _ in range(CALLS):
            try:  # noqa: SIM105 - a context manager would cost more than what is measured
                await call(*args)
            except Exception:  # noqa: BLE001 - of each its own; that it came is all
                pass

    return work


def inline(breaker: Breaker, *, with_call: bool, with_now: bool) -> Work:
    now = breaker._clock() if with_now else None

    async def alone() -> None:
        for _ in range(CALLS):
            permit = breaker.admit()
            breaker.settle(permit, 0.01)

    async def around() -> None:
        for _ in range(CALLS):
            permit = breaker.admit()
            await answer()
            breaker.settle(permit, 0.01)

    async def around_with_now() -> None:
        for _ in range(CALLS):
            permit = breaker.admit()
            await answer()
            breaker.settle(permit, 0.01, None, now)

    if not with_call:
        return alone
    return around_with_now if with_now else around


def purgatorys(fn: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A new one each round: it keeps messages of each call, and a full heap slows all others."""
    factory = purgatory.AsyncCircuitBreakerFactory(default_threshold=1, default_ttl=OPEN_S)
    guarded: Callable[..., Awaitable[Any]] = factory("peer")(fn)
    return guarded


def good_calls() -> None:
    breaker = ours()
    peer = circuitbreaker.CircuitBreaker(name="peer", failure_threshold=5)
    figures = interleaved(
        {
            "ours": ns(awaiting(breaker.call, answer)),
            "bare await": ns(awaiting(answer)),
            "ours, decorated": ns(awaiting(ours().wrap(answer))),
            "circuitbreaker": ns(awaiting(peer(answer))),
            "purgatory": lambda: ns(awaiting(purgatorys(answer)))(),  # noqa: PLW0108 - anew each time
        },
        rounds=ROUNDS,
    )
    show("good call, wrapped", figures, unit="ns", goal="≤ 4 × bare await")
    figures = interleaved(
        {
            "admit + settle": ns(inline(ours(), with_call=False, with_now=False)),
            "bare await": ns(awaiting(answer)),
            "await within them": ns(inline(ours(), with_call=True, with_now=False)),
            "the same, clock read by the caller": ns(inline(ours(), with_call=True, with_now=True)),
        },
        rounds=ROUNDS,
    )
    show("good call, inline", figures, unit="ns", goal="≤ 2 × bare await, once a batch")


def sync_calls() -> None:
    def calling(call: Callable[..., Any], *args: Any) -> Work:
        async def work() -> None:
            for _ in range(CALLS):
                call(*args)

        return work

    figures = interleaved(
        {
            "ours": ns(calling(ours().call_sync, answer_sync)),
            "bare call": ns(calling(answer_sync)),
            "pybreaker": ns(calling(pybreaker.CircuitBreaker().call, answer_sync)),
        },
        rounds=ROUNDS,
    )
    show("good call, sync, from any thread", figures, unit="ns", goal="below pybreaker")


def refusals() -> None:
    breaker = opened()
    peer = circuitbreaker.CircuitBreaker(name="open", failure_threshold=1, recovery_timeout=3000)
    theirs = peer(refuse)

    figures = interleaved(
        {
            "ours": ns(refused(breaker.call, answer)),
            "bare raise": ns(refused(refuse)),
            "circuitbreaker": ns(refused(theirs)),
            "purgatory": lambda: ns(refused(purgatorys(refuse)))(),  # noqa: PLW0108 - anew each time
        },
        rounds=ROUNDS,
    )
    show("refusal of an open breaker", figures, unit="ns", goal="≤ 1.5 × bare raise")
    assert breaker.report().rejected >= CALLS


def many() -> None:
    """The same calls through one breaker and in turn through a thousand."""
    breakers = Breakers()
    one = [breakers.get("node:one:lookup")] * 1000
    thousand = [breakers.get(f"node:{number}:lookup") for number in range(1000)]

    def in_turn(chosen: list[Breaker]) -> Work:
        calls = [breaker.call for breaker in chosen]

        async def work() -> None:
            for _ in range(CALLS // 1000):
                for call in calls:
                    await call(answer)

        return work

    def inline_in_turn(chosen: list[Breaker]) -> Work:
        async def work() -> None:
            for _ in range(CALLS // 1000):
                for breaker in chosen:
                    permit = breaker.admit()
                    await answer()
                    breaker.settle(permit, 0.01)

        return work

    figures = interleaved(
        {
            "1000 breakers": ns(in_turn(thousand)),
            "one": ns(in_turn(one)),
            "1000 inline": ns(inline_in_turn(thousand)),
            "one inline": ns(inline_in_turn(one)),
        },
        rounds=ROUNDS,
    )
    show("calls through many breakers", figures, unit="ns", goal="≤ +15 % on one")


def memory() -> None:
    around, names = Surroundings(), [f"node:{number}:lookup" for number in range(1000)]
    config = BreakerConfig()

    def make(*, used: bool) -> tuple[float, float]:
        gc.collect()
        tracemalloc.start()
        breakers = [Breaker(name, config, around=around) for name in names]
        if used:
            for breaker, _ in itertools.product(breakers, range(100)):
                breaker.settle(breaker.admit(), 0.01)
        held = tracemalloc.get_traced_memory()[0]
        for breaker in breakers:
            breaker._window = None  # type: ignore[assignment]
            breaker._pass = None
        gc.collect()
        rest = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return rest / len(names), (held - rest) / len(names)

    fresh, _ = make(used=False)
    beside, window = make(used=True)
    figures = {"ours": beside, "fresh": fresh, "its window": window}
    show("memory of a breaker", figures, unit="B", goal="≤ 200 B beside its window")


def windows() -> None:
    """Failures among good calls: each is counted in, with 30 000 calls in the window."""
    held = 30_000

    def settling(name: str) -> Callable[[], float]:
        breaker = ours(window=name, window_size=10_000, consecutive_failures=0, failure_rate=1.0)
        error = NoAnswer()
        calls = 20 if name == "list" else 5_000

        async def work() -> None:
            for number in range(calls):
                breaker.settle(breaker.admit(), 0.01, error if number % 2 else None)

        def measure() -> float:
            for _ in range(held if name != "list" else 0):
                breaker.settle(breaker.admit(), 0.01)
            if name == "list":
                now = breaker._clock()
                breaker._window._calls = [(now, False, False, 0.01)] * held  # type: ignore[attr-defined]
            return ns(work, calls)()

        return measure

    figures = interleaved(
        {
            "slices by time": settling("time"),
            "ring by count": settling("count"),
            "growing list": settling("list"),
        },
        rounds=5,
    )
    show("call that is looked at, by window", figures, unit="ns", goal="constant time and memory")


if __name__ == "__main__":
    good_calls()
    sync_calls()
    refusals()
    many()
    memory()
    windows()
