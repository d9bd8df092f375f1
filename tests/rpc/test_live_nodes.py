"""Nodes that come, go and change places while fetches are under way."""

import asyncio
import threading

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, never, until
from validation.resilience import Breakers
from validation.rpc import NodeUrl, NoNode, RpcClient

ELSEWHERE = NodeUrl.parse("http://127.0.0.1:1")


@pytest.fixture(autouse=True)
def all_are_as_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine chance decides who is faster, and the faster is preferred."""
    monkeypatch.setattr("validation.rpc.nodes._NEGLIGIBLE_S", 1e6)


def set_nodes(client: RpcClient, *nodes: ScriptedNode) -> None:
    client.set_nodes(tuple(node.node for node in nodes))
    assert client.labels() == tuple(node.node.label for node in nodes)


async def test_a_node_that_is_added_first_is_asked_from_then_on(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(node) as client:
        await client.fetch([echo("a")])
        set_nodes(client, other, node)
        reply = await client.fetch([echo("b")])
        assert (reply.values, reply.node) == (("b",), other.node.label)
        set_nodes(client, node, other)
        assert (await client.fetch([echo("c")])).node == node.node.label


async def test_nodes_set_before_the_first_fetch_are_those_that_are_asked(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    breakers = Breakers()
    async with client_of(node, breakers=breakers) as client:
        client.set_nodes((other.node,))
        assert client.labels() == (other.node.label,)
        assert (await client.fetch([echo("a")])).node == other.node.label
    assert not [b for b in breakers.all() if node.node.label.replace("#", "~") in b.name]


async def test_what_waits_for_a_removed_node_is_asked_of_another(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = never
    async with client_of(node, max_in_flight=1) as client:
        fetches = [asyncio.create_task(client.fetch([echo(str(n))])) for n in range(4)]
        await node.was_asked()
        set_nodes(client, other)
        replies = await asyncio.gather(*fetches[1:])
        assert {reply.node for reply in replies} == {other.node.label}
        assert [reply.values for reply in replies] == [("1",), ("2",), ("3",)]
        assert not fetches[0].done()
        fetches[0].cancel()


async def test_what_is_with_a_removed_node_ends_by_itself_and_then_it_is_forgotten(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.answer()

    node.default = late
    async with client_of(node) as client:
        fetch = asyncio.create_task(client.fetch([echo("a")]))
        await node.was_asked()
        set_nodes(client, other)
        assert client._transport.sockets(node.node) == (1, 0)
        gate.set()
        assert (await fetch).node == node.node.label
        await until(lambda: client._transport.sockets(node.node) == (0, 0))
        await until(lambda: client.snapshot()["requests"] == 1)  # and what it did still counts
        assert set(client.snapshot()["nodes"]) == {other.node.label}
        assert [pool.pool for pool in client.pools()] == [other.node.label]
        assert all(other.node.host in name for name in client.breaker_names())


async def test_what_a_removed_node_fails_is_asked_of_another(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    gate = asyncio.Event()

    async def late(asked: Asked) -> None:
        await gate.wait()
        asked.send(b"", status=502)

    node.default = late
    async with client_of(node) as client:
        fetch = asyncio.create_task(client.fetch([echo("a")]))
        await node.was_asked()
        set_nodes(client, other)
        gate.set()
        assert (await fetch).node == other.node.label


async def test_a_node_that_is_back_starts_anew(node: ScriptedNode, other: ScriptedNode) -> None:
    async with client_of(node, other) as client:
        await client.fetch([echo("a")])
        set_nodes(client, other)
        set_nodes(client, node, other)
        assert client.snapshot()["nodes"][node.node.label]["requests"] == 0
        assert client.snapshot()["requests"] == 1
        assert (await client.fetch([echo("b")])).node == node.node.label


async def test_without_any_node_a_fetch_says_so_until_there_is_one(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    node.default = never
    async with client_of(node, max_in_flight=1) as client:
        fetches = [asyncio.create_task(client.fetch([echo(str(n))])) for n in range(2)]
        await node.was_asked()
        set_nodes(client)
        with pytest.raises(NoNode, match="no node is in service") as caught:
            await fetches[1]
        assert (caught.value.reason, caught.value.retryable) == ("no_node", True)
        with pytest.raises(NoNode):
            await client.fetch([echo("a")])
        set_nodes(client, other)
        assert (await client.fetch([echo("a")])).node == other.node.label
        fetches[0].cancel()


async def test_a_node_that_is_only_watched_does_no_work_and_keeps_its_record(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(node, other) as client:
        await client.fetch([echo("a")])
        client.set_nodes((other.node,), watched=(node.node,))
        assert client.labels() == (other.node.label,)
        assert (await client.fetch([echo("b")])).node == other.node.label
        told = {state.label: state for state in client.nodes()}
        assert [state.label for state in client.nodes()] == [other.node.label, node.node.label]
        assert not told[node.node.label].in_service
        assert told[node.node.label].latency_p50_ms is not None
        assert len(client.breaker_names()) == 4
        set_nodes(client, node, other)
        assert client.snapshot()["nodes"][node.node.label]["requests"] == 1


async def test_the_retries_of_a_fetch_know_which_nodes_failed_it_whatever_the_order(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    """Their places change between the attempts, which makes the one that failed the second."""

    async def swap(asked: Asked) -> None:
        set_nodes(client, other, node)
        asked.send(b"", status=502)

    node.script = [swap]
    async with client_of(node, other) as client:
        assert (await client.fetch([echo("a")])).node == other.node.label
        assert (len(node.asked), len(other.asked)) == (1, 1)


async def test_any_thread_may_set_the_nodes_while_fetches_are_under_way(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    sets = [(node.node,), (other.node, node.node), (other.node,), (node.node, other.node)]
    async with client_of(node, other) as client:
        await client.fetch([echo("first")])

        def change() -> None:
            for turn in range(100):
                client.set_nodes(sets[turn % len(sets)])
                client.nodes(), client.pools(), client.snapshot()

        thread = threading.Thread(target=change)
        thread.start()
        for n in range(60):
            names = [f"{n}.{m}" for m in range(20)]
            replies = await asyncio.gather(*[client.fetch([echo(name)]) for name in names])
            assert [reply.values for reply in replies] == [(name,) for name in names]
        await asyncio.to_thread(thread.join)
        snapshot = client.snapshot()
        assert (snapshot["in_flight"], snapshot["waiting"]) == (0, 0)


async def test_the_same_node_twice_is_refused(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        with pytest.raises(ValueError, match="nodes: the same URL is listed twice"):
            client.set_nodes((node.node, node.node))
        assert client.labels() == (node.node.label,)


async def test_a_limiter_that_was_exchanged_holds_for_nodes_that_come_later(
    node: ScriptedNode,
) -> None:
    async with client_of(ELSEWHERE) as client:
        client.set_limiter("none")
        client.set_nodes((node.node,))
        await client.fetch([echo("a")])
        assert client.pools()[0].limit_max > 1000
