"""Nodes in order of preference: who is asked when the first fails, and how it comes back."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, never
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import (
    BadAnswer,
    CallRefused,
    NodeUnreachable,
    ProbeTurns,
    RateBudgets,
    RateLimited,
    RpcClient,
    RpcConfig,
)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breakers(clock: Clock) -> Breakers:
    """Open at the first failure, for five seconds, then ten, and close after one probe."""
    config = BreakerConfig(consecutive_failures=1, open_s=5, jitter=0, half_open_calls=1)
    return Breakers({"": config}, clock=clock)


@pytest.fixture
async def client(
    node: ScriptedNode, other: ScriptedNode, clock: Clock, breakers: Breakers
) -> AsyncIterator[RpcClient]:
    config = RpcConfig(
        nodes=(node.node, other.node),
        allow_loopback=True,
        backoff_base_s=0.001,
        retry_burst=0,
        retry_ratio=0,
        call_timeout_s=0.1,
    )
    turns = ProbeTurns(every_s=3600)  # calls alone find out
    client = RpcClient(config, clock=clock, breakers=breakers, turns=turns)
    yield client
    await client.aclose()


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


async def html(asked: Asked) -> None:
    asked.send(b"<html>login</html>")


async def no_call(asked: Asked) -> None:
    call = asked.calls[0]
    asked.send_json({"jsonrpc": "2.0", "id": call["id"], "error": {"code": -32602, "message": "x"}})


async def test_the_first_node_is_preferred(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    for n in range(5):
        await client.fetch([echo(str(n))])
    assert (len(node.asked), len(other.asked)) == (5, 0)


@pytest.mark.parametrize("trouble", [broken, html, never])
async def test_the_next_node_answers_at_once_and_off_the_budget(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode, trouble: object
) -> None:
    node.default = trouble  # type: ignore[assignment]  # parametrize erases the type
    reply = await client.fetch([echo("x")])
    assert reply.node == other.node.label
    assert (len(node.asked), len(other.asked)) == (1, 1)


async def test_a_failed_node_rests_and_comes_back_by_itself(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode, clock: Clock
) -> None:
    node.script = [broken]
    await client.fetch([echo("fails over")])
    assert (await client.fetch([echo("rests")])).node == other.node.label
    clock.now += 5.1
    assert (await client.fetch([echo("is back")])).node == node.node.label
    assert len(node.asked) == 2


async def test_a_node_that_stays_down_rests_longer_each_time(
    client: RpcClient, node: ScriptedNode, clock: Clock
) -> None:
    node.default = broken
    await client.fetch([echo("1")])
    clock.now += 5.1
    await client.fetch([echo("2")])
    assert len(node.asked) == 2
    clock.now += 5.1
    await client.fetch([echo("3")])
    assert len(node.asked) == 2
    clock.now += 5.1
    await client.fetch([echo("4")])
    assert len(node.asked) == 3


async def test_one_batch_tries_a_rested_node_while_the_others_keep_away(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode, clock: Clock
) -> None:
    node.default = broken
    await client.fetch([echo("fails over")])
    clock.now += 5.1
    await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(50)))
    assert node.sizes == [1, 1]


async def test_what_waits_for_a_failed_node_moves_on_with_the_rest(
    node: ScriptedNode, other: ScriptedNode, breakers: Breakers
) -> None:
    node.default = broken
    async with client_of(node, other, breakers=breakers, max_in_flight=2, batch_size=2) as client:
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(40)))
    assert {reply.node for reply in replies} == {other.node.label}
    assert sum(node.sizes) == 2


async def test_a_refused_call_is_no_reason_to_ask_another_node(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = no_call
    with pytest.raises(CallRefused):
        await client.fetch([echo("x")])
    assert not other.asked
    assert node.sizes == [1]


async def test_both_down_tells_the_last_failure(node: ScriptedNode, other: ScriptedNode) -> None:
    await other.stop()
    node.default = html
    async with client_of(node, other, retry_burst=0) as client:
        with pytest.raises((BadAnswer, NodeUnreachable)) as caught:
            await client.fetch([echo("x")])
    assert caught.value.node == other.node.label


async def test_both_down_for_a_moment_is_retried_on_both(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.script = other.script = [broken, broken]
    async with client_of(node, other) as client:
        assert (await client.fetch([echo("x")])).values == ("x",)


async def test_a_timeout_of_a_node_is_that_nodes(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = never
    await client.fetch([echo("x")])
    failures = {label: told["failures"] for label, told in client.snapshot()["nodes"].items()}
    assert failures == {node.node.label: {"node_timeout": 1}, other.node.label: {}}


async def test_a_rate_limit_rests_a_node_for_as_long_as_it_asked(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode, clock: Clock
) -> None:
    async def limited(asked: Asked) -> None:
        asked.send(b"", status=429, retry_after="7")

    node.script = [limited]
    assert (await client.fetch([echo("moves on")])).node == other.node.label
    clock.now += 6.9
    assert (await client.fetch([echo("rests")])).node == other.node.label
    clock.now += 0.2
    assert (await client.fetch([echo("is back")])).node == node.node.label


async def test_a_rest_is_bounded_whatever_the_node_asks(
    client: RpcClient, node: ScriptedNode, other: ScriptedNode, clock: Clock
) -> None:
    async def limited(asked: Asked) -> None:
        asked.send(b"", status=429, retry_after="3600")

    node.script = [limited]
    await client.fetch([echo("moves on")])
    assert client.snapshot()["nodes"][node.node.label]["rests_s"] == 60
    clock.now += 60.1
    assert (await client.fetch([echo("is back")])).node == node.node.label


async def test_calls_of_a_resting_node_wait_and_tell_in_the_end_what_it_asked_for(
    node: ScriptedNode,
) -> None:
    """One told its client so, and all clients of the process leave the node alone."""
    budget = RateBudgets()
    budget.rest(node.node.label, 30)
    async with client_of(node, budget=budget) as client:
        with pytest.raises(RateLimited, match="asked to be left alone") as caught:
            await client.fetch([echo("x")], timeout_s=0.1)
        assert 29 < (caught.value.retry_after_s or 0) <= 30
        assert client.snapshot()["waiting"] == 0
    assert not node.asked


async def test_calls_that_waited_for_a_rest_to_end_are_answered(node: ScriptedNode) -> None:
    budget = RateBudgets()
    budget.rest(node.node.label, 0.1)
    async with client_of(node, budget=budget) as client:
        replies = await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(5)))
    assert [reply.values for reply in replies] == [(str(n),) for n in range(5)]
    assert node.sizes == [5]
