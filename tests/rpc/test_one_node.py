"""One node is asked, and no other."""

import asyncio

import pytest

from tests.rpc.conftest import RunOut
from tests.rpc.scripted import LONG_S, Asked, ScriptedNode, client_of, echo, never, until
from validation.resilience import BreakerConfig, Breakers, Override
from validation.rpc import (
    BreakerOpen,
    DeadlineExceeded,
    HttpStatus,
    NodeTimeout,
    NoNode,
    breaker_name,
)


async def broken(asked: Asked) -> None:
    asked.send(b"", status=502)


async def test_it_alone_is_asked(node: ScriptedNode, other: ScriptedNode) -> None:
    async with client_of(node, other) as client:
        for one in (node, other):
            reply = await client.fetch_from(one.node.label, [echo("a"), echo("b")])
            assert (reply.node, reply.values) == (one.node.label, ("a", "b"))
        assert (node.sizes, other.sizes) == ([2], [2])


async def test_a_node_that_fails_is_asked_again_and_no_other_in_its_place(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.script = [broken]
    async with client_of(node, other) as client:
        assert (await client.fetch_from(node.node.label, [echo("a")])).node == node.node.label
        node.default = broken
        with pytest.raises(HttpStatus) as caught:
            await client.fetch_from(node.node.label, [echo("b")])
        assert caught.value.node == node.node.label
        assert [span.note for span in caught.value.spans if span.name == "attempt"] == [
            "http_status"
        ] * 4
    assert other.asked == []


async def test_a_node_that_is_not_in_service_is_not_asked(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(node) as client:
        with pytest.raises(NoNode, match="is not in service"):
            await client.fetch_from(other.node.label, [echo("a")])
        client.set_nodes((node.node,), watched=(other.node,))
        await client.fetch([echo("a")])
        with pytest.raises(NoNode):
            await client.fetch_from(other.node.label, [echo("a")])
    assert other.asked == []


async def test_it_shares_no_answer_with_those_who_take_anybody_s(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(node, other) as client:
        anybody, mine = await asyncio.gather(
            client.fetch([echo("a")]), client.fetch_from(other.node.label, [echo("a")])
        )
        assert (anybody.node, mine.node) == (node.node.label, other.node.label)


async def test_it_is_never_hedged(node: ScriptedNode, other: ScriptedNode) -> None:
    async with client_of(node, other, hedge_quantile=0.5) as client:
        for n in range(25):
            await client.fetch([echo(str(n))])
        client._engine.dispatcher.lanes[0].record.hedge_after_s = 0.001  # type: ignore[union-attr]
        node.default = never
        with pytest.raises((NodeTimeout, DeadlineExceeded)):
            await client.fetch_from(node.node.label, [echo("a")], timeout_s=0.1)
        assert other.asked == []
        hedged = await client.fetch([echo("b")])
        assert hedged.node == other.node.label


async def test_a_breaker_that_is_against_it_is_told_at_once(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    breakers = Breakers({"": BreakerConfig(consecutive_failures=1, open_s=60)})
    node.default = broken
    async with client_of(node, other, breakers=breakers) as client:
        with pytest.raises((HttpStatus, BreakerOpen)):
            await client.fetch_from(node.node.label, [echo("a")])
        asked = len(node.asked)
        with pytest.raises(BreakerOpen, match="no other node is to be asked"):
            await client.fetch_from(node.node.label, [echo("a")])
        assert len(node.asked) == asked
        assert (await client.fetch([echo("b")])).node == other.node.label


async def test_one_that_waits_when_its_breaker_is_forced_open_does_not_wait_on(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    breakers = Breakers()
    node.default = never
    async with client_of(node, other, breakers=breakers, max_in_flight=1) as client:
        first = asyncio.create_task(client.fetch_from(node.node.label, [echo("a")]))
        await node.was_asked()
        second = asyncio.create_task(client.fetch_from(node.node.label, [echo("b")]))
        free = asyncio.create_task(client.fetch([echo("c")]))
        await until(lambda: client.snapshot()["waiting"] == 2)
        breakers.apply(breaker_name(node.node, "lookup"), Override(mode="forced_open", revision=1))
        first.cancel()
        with pytest.raises(BreakerOpen):
            await second
        assert (await free).node == other.node.label


async def test_one_that_waits_for_a_node_that_is_removed_is_told(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = never
    async with client_of(node, other, max_in_flight=1) as client:
        first = asyncio.create_task(client.fetch_from(node.node.label, [echo("a")]))
        await node.was_asked()
        second = asyncio.create_task(client.fetch_from(node.node.label, [echo("b")]))
        await until(lambda: client.snapshot()["waiting"] == 1)
        client.set_nodes((other.node,))
        with pytest.raises(NoNode, match="is not in service"):
            await second
        first.cancel()


async def test_its_time_is_bounded(node: ScriptedNode, run_out: RunOut) -> None:
    node.default = never
    async with client_of(node) as client:
        with pytest.raises(NodeTimeout):
            await run_out(
                client.fetch_from(node.node.label, [echo("a")], timeout_s=LONG_S),
                lambda: node.asked,
            )
        assert client.snapshot()["waiting"] == 0
