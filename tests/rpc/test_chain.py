"""A node's chain is asked for on every new connection, without a round trip of its own."""

import asyncio

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, client_of, echo, refusal
from validation.rpc import BadAnswer, RpcError, WrongChain


def methods(node: ScriptedNode) -> list[list[str]]:
    return [[call["method"] for call in asked.calls] for asked in node.asked]


async def test_the_first_batch_carries_the_question_and_the_next_does_not(
    node: ScriptedNode,
) -> None:
    async with client_of(node, chain_id=1) as client:
        await client.fetch([echo("a")])
        await client.fetch([echo("b")])
    assert methods(node) == [["eth_chainId", "eth_echo"], ["eth_echo"]]


async def test_nothing_is_asked_where_no_chain_is_configured(node: ScriptedNode) -> None:
    async with client_of(node) as client:
        await client.fetch([echo("a")])
    assert methods(node) == [["eth_echo"]]


async def test_another_chain_refuses_the_node(node: ScriptedNode) -> None:
    async with client_of(node, chain_id=5) as client:
        for _ in range(2):  # and again: no answer of this node ever counts
            with pytest.raises(WrongChain, match="serves chain 1, not 5") as caught:
                await client.fetch([echo("a")])
    assert not caught.value.retryable
    assert caught.value.trips_breaker


async def test_another_node_takes_over_from_one_of_another_chain(
    node: ScriptedNode, other: ScriptedNode
) -> None:
    other.chain_id = 5
    async with client_of(node, other, chain_id=5) as client:
        assert (await client.fetch([echo("a")])).node == other.node.label


async def test_a_node_that_restarts_as_another_chain_is_caught(node: ScriptedNode) -> None:
    async with client_of(node, chain_id=1) as client:
        await client.fetch([echo("a")])
        await node.stop()
        node.chain_id = 5
        await node.start()
        with pytest.raises(WrongChain):
            await client.fetch([echo("b")])


async def test_a_reconnect_within_a_request_is_followed_by_the_question(
    node: ScriptedNode,
) -> None:
    """The kept connection dies under the request: its answer, from a new one, waits for a look."""

    async def reset(asked: Asked) -> None:
        asked.reset()

    async with client_of(node, chain_id=1) as client:
        await client.fetch([echo("a")])
        node.script = [reset]
        assert (await client.fetch([echo("b")])).values == ("b",)
        assert methods(node)[1:] == [["eth_echo"], ["eth_echo"], ["eth_chainId"]]
        node.script = [reset]
        node.chain_id = 5
        with pytest.raises(WrongChain):
            await client.fetch([echo("c")])


async def test_every_connection_is_asked(node: ScriptedNode) -> None:
    async with client_of(node, chain_id=1, batch_size=1, max_connections=4) as client:
        await asyncio.gather(*(client.fetch([echo(str(n))]) for n in range(40)))
    asked = sum("eth_chainId" in names for names in methods(node))
    assert asked == node.connections > 1


@pytest.mark.parametrize("told", [1, "1", None, "0x", "0xzz", "0x" + "f" * 40, ["0x1"]])
async def test_a_chain_that_is_no_number_is_a_bad_answer(node: ScriptedNode, told: object) -> None:
    node.result = lambda call: told  # type: ignore[method-assign]  # this node tells nonsense
    async with client_of(node, chain_id=1) as client:
        with pytest.raises(BadAnswer, match="eth_chainId"):
            await client.fetch([echo("a")])


async def test_a_node_that_does_not_tell_is_refused(node: ScriptedNode) -> None:
    async def refuse(asked: Asked) -> None:
        asked.send_json([refusal(call, -32601, "unknown method") for call in asked.calls])

    node.default = refuse
    async with client_of(node, chain_id=1) as client:
        with pytest.raises(RpcError, match="does not tell its chain: unknown method"):
            await client.fetch([echo("a")])
