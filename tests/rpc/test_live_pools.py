"""Connections as they are exchanged live: kept or one a request, and how many."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, until
from validation.rpc import RpcClient


class Held:
    """A node that answers once it is let."""

    def __init__(self, node: ScriptedNode) -> None:
        self.let = asyncio.Event()
        self.out = self.most = 0
        node.default = self

    async def __call__(self, asked: Asked) -> None:
        self.out += 1
        self.most = max(self.most, self.out)
        await self.let.wait()
        self.out -= 1
        asked.answer()


@pytest.fixture
async def client(node: ScriptedNode) -> AsyncIterator[RpcClient]:
    async with client_of(node, batch_size=1, max_connections=2) as client:
        yield client


async def test_without_keep_alive_each_request_has_a_connection_and_says_so(
    client: RpcClient, node: ScriptedNode
) -> None:
    client.set_keep_alive(False)
    assert client.keep_alive is False
    for n in range(3):
        assert (await client.fetch([echo(str(n))])).values == (str(n),)
    assert node.connections == client.pools()[0].dialled == 3
    assert [asked.headers.get("connection") for asked in node.asked] == ["close"] * 3
    assert (client.pools()[0].used, client.pools()[0].idle) == (0, 0)


async def test_keep_alive_goes_and_comes_back_under_way(
    client: RpcClient, node: ScriptedNode
) -> None:
    await client.fetch([echo("kept")])
    held = Held(node)
    asking = asyncio.ensure_future(client.fetch([echo("under way")]))
    await node.was_asked(2)
    client.set_keep_alive(False)
    held.let.set()
    assert (await asking).values == ("under way",)
    assert client.pools()[0].idle == 0
    await client.fetch([echo("alone")])
    client.set_keep_alive(True)
    await client.fetch([echo("one more")])
    await client.fetch([echo("kept again")])
    assert node.connections == 3
    assert [asked.headers.get("connection") for asked in node.asked] == [
        *(None, None, "close", None, None)
    ]


async def test_what_is_idle_is_closed_when_keep_alive_goes(
    client: RpcClient, node: ScriptedNode
) -> None:
    await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(4)))
    assert client.pools()[0].idle == 2
    client.set_keep_alive(False)
    assert client.pools()[0].idle == 0


async def test_without_keep_alive_the_chain_is_asked_with_every_request(node: ScriptedNode) -> None:
    async with client_of(node, chain_id=1, keep_alive=False) as client:
        for n in range(3):
            await client.fetch([echo(str(n))])
    assert [[call["method"] for call in one.calls] for one in node.asked] == [
        ["eth_chainId", "eth_echo"]
    ] * 3


async def test_the_chain_is_asked_though_keep_alive_went_after_the_batch_was_made(
    node: ScriptedNode,
) -> None:
    """The batch was made for a connection that was known, and goes out on one of its own."""
    async with client_of(node, chain_id=1) as client:
        await client.fetch([echo("a")])
        asking = asyncio.ensure_future(client.fetch([echo("b")]))
        await until(lambda: client.snapshot()["in_flight"])
        client.set_keep_alive(False)
        assert (await asking).values == ("b",)
    said = [[call["method"] for call in one.calls] for one in node.asked]
    assert said[-1] == ["eth_chainId", "eth_echo"]


async def test_more_sockets_open_room_at_once(client: RpcClient, node: ScriptedNode) -> None:
    held = Held(node)
    asking = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(10)]
    await until(lambda: held.out == 2)
    client.set_pool_size(6)
    assert client.pool_size == client.pools()[0].max == 6
    await until(lambda: held.out == 6)
    held.let.set()
    assert len(await asyncio.gather(*asking)) == 10
    assert held.most == 6


async def test_fewer_sockets_end_what_is_out_and_let_no_more_out(
    client: RpcClient, node: ScriptedNode
) -> None:
    client.set_pool_size(6)
    held = Held(node)
    asking = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(20)]
    await until(lambda: held.out == 6)
    client.set_pool_size(1)
    assert client.snapshot()["in_flight"] == 6
    await asyncio.sleep(0)
    held.most = 0
    held.let.set()
    replies = await asyncio.gather(*asking)
    assert [reply.values for reply in replies] == [(str(n),) for n in range(20)]
    assert len(node.asked) == 20
    assert held.most <= 1
    assert (client.pools()[0].used, client.pools()[0].idle) == (0, 1)


async def test_idle_connections_beyond_the_size_are_closed(
    client: RpcClient, node: ScriptedNode
) -> None:
    client.set_pool_size(5)
    held = Held(node)
    asking = [asyncio.ensure_future(client.fetch([echo(str(n))])) for n in range(5)]
    await until(lambda: held.out == 5)
    held.let.set()
    await asyncio.gather(*asking)
    assert client.pools()[0].idle == 5
    client.set_pool_size(2)
    assert client.pools()[0].idle == 2


async def test_a_node_that_comes_later_has_the_size_of_now(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    async with client_of(node) as client:
        client.set_pool_size(3)
        await client.fetch([echo("a")])
        client.set_nodes((node.node, other.node))
        assert [pool.max for pool in client.pools()] == [3, 3]


async def test_a_pool_without_a_socket_is_refused(client: RpcClient) -> None:
    with pytest.raises(ValueError, match="pool_size: must be above 0, not 0"):
        client.set_pool_size(0)
