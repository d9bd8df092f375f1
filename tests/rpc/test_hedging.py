"""A batch that takes longer than usual is asked of a second node meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, never, until
from validation.resilience import BreakerConfig, Breakers, Override
from validation.rpc import RpcClient, breaker_name


@pytest.fixture
async def client(node: ScriptedNode, other: ScriptedNode) -> AsyncIterator[RpcClient]:
    async with client_of(node, other, hedge_quantile=0.9, call_timeout_s=2) as client:
        await measure(client)
        yield client


async def measure(client: RpcClient, fetches: int = 30) -> None:
    """Asks often enough to know how long an answer takes."""
    for n in range(fetches):
        await client.fetch([echo(f"measured {n}")])
    client.set_hedging(0.9)  # tells the delay at once, as a second's look would
    await asyncio.sleep(0)


def since(before: dict[str, Any], now: dict[str, Any]) -> tuple[int, int]:
    """Hedges, and those of them that won: measuring may have had some on a crowded machine."""
    return now["hedged"] - before["hedged"], now["hedges_won"] - before["hedges_won"]


async def test_the_second_node_answers_for_a_first_that_hangs(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    before = client.snapshot()
    node.default = never
    reply = await client.fetch([echo("x")])
    assert reply.values == ("x",)
    assert reply.node == other.node.label
    told = client.snapshot()
    assert since(before, told) == (1, 1)
    assert told["in_flight"] == 0
    # The loser was cancelled, not waited for, and nobody is blamed.
    assert told["nodes"][node.node.label]["failures"] == {}


async def test_an_answer_in_time_is_not_hedged(node: ScriptedNode, other: ScriptedNode) -> None:
    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.2)
        asked.answer()

    async with client_of(node, other, hedge_quantile=0.9, batch_size=1) as client:
        node.script = [slowly] * 24
        await asyncio.gather(*(client.fetch([echo(f"measured {n}")]) for n in range(24)))
        client.set_hedging(0.9)
        await asyncio.gather(*(client.fetch([echo(f"in time {n}")]) for n in range(8)))
        assert client.snapshot()["hedged"] == 0
    assert not other.asked


async def test_the_first_wins_where_it_is_first_after_all(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    second_asked = asyncio.Event()

    async def after_the_hedge(asked: Asked) -> None:
        await second_asked.wait()
        asked.answer()

    async def hang(asked: Asked) -> None:
        second_asked.set()
        await asyncio.Event().wait()

    before = client.snapshot()
    node.default, other.default = after_the_hedge, hang
    assert (await client.fetch([echo("x")])).node == node.node.label
    told = client.snapshot()
    assert since(before, told) == (1, 0)
    assert told["in_flight"] == 0


async def test_a_second_that_fails_does_not_end_the_first(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    failed = asyncio.Event()

    async def late(asked: Asked) -> None:
        await failed.wait()
        asked.answer()

    async def broken(asked: Asked) -> None:
        asked.send(b"", status=500)
        failed.set()

    node.default, other.default = late, broken
    assert (await client.fetch([echo("x")])).node == node.node.label


async def test_hedges_stay_within_the_budget_of_retries(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(
        node, other, retry_burst=3, retry_ratio=0, hedge_quantile=0.5, call_timeout_s=0.3
    ) as client:
        await measure(client)
        spent = client.snapshot()["hedged"]
        node.default = never
        for n in range(5):
            await client.fetch([echo(str(n))])
        assert client.snapshot()["hedged"] == 3 >= spent


async def test_no_hedge_passes_a_breaker_that_is_forced_open(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    breakers = Breakers({"": BreakerConfig()})
    async with client_of(
        node, other, breakers=breakers, hedge_quantile=0.9, call_timeout_s=0.2, max_attempts=1
    ) as client:
        await measure(client)
        before = len(other.asked)
        breakers.apply(
            breaker_name(other.node, "lookup"), Override(mode="forced_open", mode_for_s=9)
        )
        node.script = [never]
        found = await asyncio.gather(client.fetch([echo("x")]), return_exceptions=True)
        assert isinstance(found[0], BaseException)
        assert len(other.asked) == before


@pytest.mark.parametrize("config", [{}, {"hedge_quantile": 0.9}])
async def test_without_a_measure_or_a_wish_nothing_is_hedged(
    node: ScriptedNode, other: ScriptedNode, config: dict[str, Any]
) -> None:
    async with client_of(node, other, call_timeout_s=0.1, **config) as client:
        node.script = [never]
        await client.fetch([echo("x")])  # times out, then the other
        assert client.snapshot()["hedged"] == 0


async def test_a_fetch_that_leaves_takes_both_requests_with_it(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = other.default = never
    task = asyncio.ensure_future(client.fetch([echo("x")]))
    await other.was_asked(1 + len(other.asked))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await until(lambda: not client.snapshot()["in_flight"])
