"""Whole runs over a node that dies, limits or slows down: nothing lost, and little asked twice."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, until
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import Reply, RpcClient, RpcError, breaker_name
from validation.rpc.gradient import GradientLimit

ITEMS = 3000
AT_ONCE = 256


@pytest.fixture
async def breakers() -> AsyncIterator[Breakers]:
    """As a worker has them."""
    made = Breakers({"node:": BreakerConfig()})
    yield made
    made.destroy()


async def run(client: RpcClient, found: list[Reply | RpcError], items: int = ITEMS) -> None:
    """A run as the engine does it: so many at once, each asked once."""
    turns = iter(range(items))

    async def work() -> None:
        for n in turns:
            try:
                found.append(await client.fetch([echo(str(n))]))
            except RpcError as error:
                found.append(error)

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))


def calls_of(*nodes: ScriptedNode) -> int:
    """Calls that reached the nodes, but for the probes."""
    return sum(
        call["method"] != "eth_chainId"
        for node in nodes
        for asked in node.asked
        for call in asked.calls
    )


async def test_the_only_node_dies_in_the_middle_and_comes_back(
    node: ScriptedNode, breakers: Breakers
) -> None:
    found: list[Reply | RpcError] = []
    async with client_of(node, breakers=breakers, backoff_base_s=0.05) as client:
        running = asyncio.ensure_future(run(client, found))
        await until(lambda: len(found) >= 500)
        await node.stop()
        breaker = breakers.get(breaker_name(node.node, "lookup"))
        await until(lambda: breaker.state == "open")
        died_with = len(found)
        await node.start()
        back = time.monotonic()
        await until(lambda: len(found) > died_with)
        assert time.monotonic() - back < 5
        await running
    assert [one for one in found if isinstance(one, RpcError)] == []
    assert len(found) == ITEMS
    assert calls_of(node) <= ITEMS * 1.1


async def test_the_first_of_two_dies_and_is_used_again(
    node: ScriptedNode, other: ScriptedNode, breakers: Breakers
) -> None:
    found: list[Reply | RpcError] = []
    async with client_of(node, other, breakers=breakers) as client:
        running = asyncio.ensure_future(run(client, found))
        await until(lambda: len(found) >= 500)
        await node.stop()
        await running
        assert [one for one in found if isinstance(one, RpcError)] == []
        assert calls_of(node, other) <= ITEMS * 1.1
        await node.start()
        before = len(node.asked)
        async with asyncio.timeout(10):
            while (await client.fetch([echo("whose turn")])).node != node.node.label:
                pass
        assert len(node.asked) > before


async def test_a_node_that_limits_calls_is_kept_within_its_limit(
    node: ScriptedNode, breakers: Breakers
) -> None:
    """It takes 800 calls a second and says so, by the second, when it has had them."""
    taken, until_s, refused = 0, 0.0, 0

    async def limited(asked: Asked) -> None:
        nonlocal taken, until_s, refused
        now = time.monotonic()
        if now >= until_s:
            taken, until_s = 0, now + 1
        if taken + len(asked.calls) > 800:
            refused += len(asked.calls)
            asked.send(b"", status=429, retry_after="1")
        else:
            taken += len(asked.calls)
            asked.answer()

    node.default = limited
    found: list[Reply | RpcError] = []
    async with client_of(node, breakers=breakers, limiter="adaptive") as client:
        await run(client, found, items=2000)
        assert all(breaker.state == "closed" for breaker in breakers.all())
    assert [one for one in found if isinstance(one, RpcError)] == []
    assert refused <= 2000 * 0.5


async def test_an_adaptive_limit_follows_a_node_that_limits_calls(node: ScriptedNode) -> None:
    async def limited(asked: Asked) -> None:
        asked.send(b"", status=429)

    async with client_of(node, limiter="adaptive", max_in_flight=64) as client:
        await client.fetch([echo("x")])
        node.script = [limited]
        await client.fetch([echo("y")])
        assert client.pools()[0].limit == 32


async def test_a_dead_node_is_no_fast_node(node: ScriptedNode) -> None:
    """Refused connections come back at once: taken for answers, they would starve the limit."""
    await node.stop()
    async with client_of(node, limiter="adaptive", max_in_flight=64, max_attempts=1) as client:
        for n in range(30):
            await asyncio.gather(client.fetch([echo(str(n))]), return_exceptions=True)
        assert client.pools()[0].limit == 64
        assert client._engine
        limiter = client._engine.dispatcher.lanes[0].limits.limiter
        assert isinstance(limiter, GradientLimit)
        assert limiter._shortest == {}


async def test_a_slow_node_costs_its_share_and_not_the_run(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    """Slow calls open its breaker; what is out comes back late, all else goes to the other."""

    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.2)
        asked.answer()

    node.default = slowly
    breakers = Breakers({"": BreakerConfig(slow_s=0.1, slow_rate=0.5, min_calls=4)})
    found: list[Reply | RpcError] = []
    async with client_of(node, other, breakers=breakers, batch_size=20) as client:
        await run(client, found, items=2000)
    assert [one for one in found if isinstance(one, RpcError)] == []
    assert calls_of(other) > 1000
    assert calls_of(node, other) == 2000
