"""Who is there, before a node is trusted with work."""

import pytest

from tests.rpc.scripted import Asked, ScriptedNode, answer, refusal
from validation.rpc import (
    AddressRefused,
    BadAnswer,
    HttpStatus,
    NodeUrl,
    RpcConfig,
    RpcError,
    probe,
)


def config(node: ScriptedNode) -> RpcConfig:
    return RpcConfig(nodes=(node.node,), allow_loopback=True, chain_id=99)


async def version(asked: Asked) -> None:
    results = {"eth_chainId": "0xaa36a7", "web3_clientVersion": "Geth/v1.16\n\x1b[31m"}
    asked.send_json([answer(call, results[call["method"]]) for call in asked.calls])


async def test_a_node_tells_its_chain_and_version_in_one_request(node: ScriptedNode) -> None:
    node.default = version
    info = await probe(node.node, config=config(node))
    assert (info.node, info.chain_id) == (node.node.label, 11155111)
    assert info.client_version == "Geth/v1.16 [31m"
    assert info.ms > 0
    assert node.sizes == [2]


async def test_a_node_that_hides_its_version_is_a_node_all_the_same(node: ScriptedNode) -> None:
    async def hide(asked: Asked) -> None:
        asked.send_json(
            [
                answer(call, "0x1")
                if call["method"] == "eth_chainId"
                else refusal(call, -32601, "no such method")
                for call in asked.calls
            ]
        )

    node.default = hide
    assert (await probe(node.node, config=config(node))).client_version == ""


async def test_a_website_is_no_node(node: ScriptedNode) -> None:
    async def page(asked: Asked) -> None:
        asked.send(b"<!doctype html><title>Welcome</title>", content_type="text/html")

    node.default = page
    with pytest.raises(BadAnswer, match="not JSON") as caught:
        await probe(node.node, config=config(node))
    assert caught.value.node == node.node.label


async def test_a_missing_page_is_no_node(node: ScriptedNode) -> None:
    async def missing(asked: Asked) -> None:
        asked.send(b"", status=404)

    node.default = missing
    with pytest.raises(HttpStatus, match="nothing answers JSON-RPC at the path"):
        await probe(node.node, config=config(node))
    assert len(node.asked) == 1


async def test_nobody_there_is_told_in_one_attempt(node: ScriptedNode) -> None:
    await node.stop()
    with pytest.raises(RpcError, match="connection refused"):
        await probe(node.node, config=config(node))


async def test_without_a_policy_loopback_is_refused() -> None:
    with pytest.raises(AddressRefused, match="loopback"):
        await probe(NodeUrl.parse("http://127.0.0.1:8545"))
