"""Nodes are compared by what can be compared: batches of one size, of late."""

import asyncio

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, echo
from validation.rpc import RpcClient, RpcConfig
from validation.rpc.nodes import _score
from validation.rpc.record import NodeRecord


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_large_batches_make_no_slow_node() -> None:
    assert _score({7: 0.1}, {1: 0.001, 7: 0.1}, 0.0) == 1


def test_a_node_is_as_fast_as_its_batches_are_beside_the_fastest() -> None:
    assert _score({1: 0.205, 7: 0.3}, {1: 0.1, 7: 0.3}, 0.0) == pytest.approx(0.75)
    assert _score({1: 0.1}, {1: 0.1}, 0.5) == pytest.approx(0.25)


def test_nodes_that_are_near_are_alike() -> None:
    assert (_score({1: 0.001}, {1: 0.0002}, 0.0) or 0) > 0.8


def test_nothing_known_is_no_score() -> None:
    assert _score({}, {1: 0.001}, 0.0) is None
    assert _score({}, {1: 0.001}, 0.5) is not None


def test_times_are_of_late() -> None:
    clock = Clock()
    record = NodeRecord(clock)
    record.answered(0.1, 100)
    clock.now += 30
    record.answered(0.01, 1)
    assert set(record.speeds()) == {1, 7}
    clock.now += 31
    assert set(record.speeds()) == {1}
    clock.now += 30
    assert record.speeds() == {}


def test_failures_fade_and_a_breaker_takes_them_over() -> None:
    clock = Clock()
    record = NodeRecord(clock)
    for _ in range(20):
        record.failed()
    assert record.failing() > 0.9
    clock.now += 60
    assert record.failing() < 0.3
    record.failed()
    record.forgive()
    assert record.failing() == 0


async def test_the_faster_node_is_asked_first_where_it_is_much_faster(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async def slowly(asked: Asked) -> None:
        await asyncio.sleep(0.05)
        asked.answer()

    async def broken(asked: Asked) -> None:
        asked.send(b"", status=500)

    clock = Clock()
    config = RpcConfig(nodes=(node.node, other.node), allow_loopback=True)
    client = RpcClient(config, clock=clock)
    node.default = slowly
    node.script = [broken]
    await client.fetch([echo("measures the other")])
    await client.fetch([echo("measures the first")])
    clock.now += 1.1
    await client.fetch([echo("looks")])
    asked = len(node.asked)
    replies = [await client.fetch([echo(str(n))]) for n in range(5)]
    assert {reply.node for reply in replies} == {other.node.label}
    assert len(node.asked) == asked
    scores = [pool.score for pool in client.pools()]
    assert scores[1] == 1
    assert 0 < (scores[0] or 0) < 0.5
    await client.aclose()
