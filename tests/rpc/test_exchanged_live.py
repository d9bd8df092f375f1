"""Every toggle of the client flips from another thread while hundreds of fetches are in flight:
each is answered once, with its own answer, and nothing is left behind.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from itertools import count, cycle
from random import Random

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, until
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import FORMS, RateBudgets, RpcClient

FETCHES = 240
# What went out on a connection that nobody may be asked on who he is, is asked again on another.
CONNECTIONS = ("keep_alive", "pool_size")


class World:
    """Two nodes that take a few milliseconds, a client of both, and what is shared by all."""

    def __init__(self, client: RpcClient, breakers: Breakers, budgets: RateBudgets) -> None:
        self.client = client
        self.breakers = breakers
        self.budgets = budgets

    def flips(self) -> dict[str, list[Callable[[], None]]]:
        client, breakers, budgets = self.client, self.breakers, self.budgets

        def each[T](act: Callable[[T], None], *values: T) -> list[Callable[[], None]]:
            return [lambda value=value: act(value) for value in values]  # type: ignore[misc]

        return {
            "keep_alive": each(client.set_keep_alive, False, True),
            "pool_size": each(client.set_pool_size, 1, 50, 8, 512),
            "limiter": each(client.set_limiter, "none", "fixed", "adaptive"),
            "retry": each(client.set_retry, "none", "backoff", "budgeted"),
            "sharing": each(client.set_sharing, False, True),
            "hedging": each(client.set_hedging, None, 0.95),
            "request_log": each(client.set_request_log, "failures", "sampled", "none"),
            "rate_limit": each(budgets.set_scope, "process", "fleet"),
            "breaker_use": each(breakers.set_use, "off", "metrics_only", "on"),
            "breaker_window": each(breakers.set_window, "list", "count", "time"),
        }


@pytest.fixture
async def world(node: ScriptedNode, other: ScriptedNode) -> AsyncIterator[World]:
    random = Random(5)

    async def soon(asked: Asked) -> None:
        await asyncio.sleep(random.uniform(0.0, 0.01))
        asked.answer()

    node.default = other.default = soon
    breakers = Breakers({"": BreakerConfig()})
    budgets = RateBudgets()
    async with client_of(
        node,
        other,
        breakers=breakers,
        budget=budgets,
        chain_id=1,
        rate_limit=100_000,
        batch_size=8,
        max_in_flight=64,
    ) as client:
        yield World(client, breakers, budgets)
    await budgets.aclose()


async def ask_all(client: RpcClient, done: list[str]) -> None:
    """Fetches in all modes, never fewer than a hundred and fifty at once."""
    waiting, modes = count(), cycle(FORMS)

    async def work() -> None:
        while (n := next(waiting)) < FETCHES:
            calls = [echo(f"{n} {m}") for m in range(3)]
            reply = await client.mode(next(modes)).fetch(calls)
            assert reply.values == (f"{n} 0", f"{n} 1", f"{n} 2")
            assert len(reply.raws) == 3
            done.append(str(n))

    await asyncio.gather(*(work() for _ in range(150)))


@pytest.mark.parametrize(
    "toggle",
    [
        *("keep_alive", "pool_size", "limiter", "retry", "sharing", "hedging"),
        *("request_log", "rate_limit", "breaker_use", "breaker_window"),
    ],
)
async def test_all_are_answered_once_while_it_flips(
    world: World, node: ScriptedNode, other: ScriptedNode, toggle: str
) -> None:
    client, flips, done = world.client, world.flips()[toggle], list[str]()
    ended, turns = threading.Event(), count()

    def flip() -> None:
        for act in cycle(flips):
            act()
            if ended.wait(0.002) and next(turns) >= len(flips):
                return

    thread = threading.Thread(target=flip)
    thread.start()
    try:
        await ask_all(client, done)
    finally:
        ended.set()
        await asyncio.to_thread(thread.join)
    assert sorted(done, key=int) == [str(n) for n in range(FETCHES)]
    told = client.snapshot()
    await until(lambda: client.snapshot()["in_flight"] == 0)
    assert (told["waiting"], told["retries"], told["fetches"]) == (0, {}, FETCHES)
    asked = [call["params"][0] for n in (node, other) for one in n.asked for call in one.calls
             if call["params"]]  # fmt: skip
    assert len(set(asked)) == FETCHES * 3
    if toggle not in CONNECTIONS:
        # A hedge may have been taken back before its node had read it.
        assert FETCHES * 3 <= len(asked) <= told["calls"] <= FETCHES * 3 + told["hedged"]


async def test_all_flip_at_once_while_nodes_fail_and_nobody_waits_in_vain(
    world: World, node: ScriptedNode
) -> None:
    """The first node fails one request in five: who may be asked again is, of the other node."""
    random, well = Random(3), node.default

    async def flaky(asked: Asked) -> None:
        if random.random() < 0.2:
            asked.send(b"", status=503)
        else:
            await well(asked)

    node.default = flaky
    client, done = world.client, list[str]()
    all_flips = world.flips()
    del all_flips["retry"]  # without retries a fetch may fail, as it should
    acts = cycle([act for flips in all_flips.values() for act in flips])

    async def flip() -> None:
        while True:
            next(acts)()
            await asyncio.sleep(0.001)

    flipping = asyncio.create_task(flip())
    await ask_all(client, done)
    flipping.cancel()
    await asyncio.gather(flipping, return_exceptions=True)
    assert len(set(done)) == len(done) == FETCHES
    await until(lambda: client.snapshot()["in_flight"] == 0)
    assert client.snapshot()["waiting"] == 0
    assert sum(client.snapshot()["retries"].values()) > 0


async def test_what_was_set_before_the_first_fetch_holds_for_it(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        client.set_keep_alive(False)
        client.set_pool_size(3)
        client.set_retry("none")
        client.set_sharing(False)
        client.set_limiter("none")
        await asyncio.gather(*(client.fetch([echo("x")]) for _ in range(2)))
        pool = client.pools()[0]
        assert (pool.max, pool.limiter, pool.idle) == (3, "none", 0)
        assert client.snapshot()["calls"] == 2
        holds = (client.keep_alive, client.pool_size, client.retry, client.sharing, client.hedging)
        assert holds == (False, 3, "none", False, None)
        assert client.limiter == "none"
