"""Asks a node who it is, before it is trusted with work."""

import asyncio
import time
from dataclasses import replace

import msgspec

from validation.rpc.calls import Call
from validation.rpc.client import RpcClient
from validation.rpc.config import RpcConfig
from validation.rpc.endpoints import NodeInfo, NodeUrl
from validation.rpc.errors import BadAnswer, CallRefused
from validation.rpc.exchange import chain_id_of
from validation.rpc.wire import clean

_decode_text = msgspec.json.Decoder(str).decode
_CHAIN = Call("eth_chainId", (), chain_id_of)
_VERSION = Call("web3_clientVersion", (), _decode_text)


async def probe(node: NodeUrl, *, config: RpcConfig | None = None) -> NodeInfo:
    """The node's chain and version, in one attempt; or an RpcError that says what is there instead.

    `config` brings the limits and the address policy; its nodes and chain are not used.
    """
    base = RpcConfig(nodes=(node,)) if config is None else config
    config = replace(base, nodes=(node,), chain_id=None, max_attempts=1)
    client = RpcClient(config)
    started = time.monotonic()
    try:
        chain, version = await asyncio.gather(
            client.fetch([_CHAIN]), client.fetch([_VERSION]), return_exceptions=True
        )
    finally:
        await client.aclose()
    if isinstance(chain, BaseException):
        raise chain
    if chain.values[0] is None:
        raise BadAnswer("eth_chainId is not a number in hex", node=node.label)
    if isinstance(version, CallRefused):  # some providers do not tell
        told = ""
    elif isinstance(version, BaseException):
        raise version
    else:
        told = clean(version.values[0], node)
    return NodeInfo(
        node=node.label,
        chain_id=chain.values[0],
        client_version=told,
        ms=(time.monotonic() - started) * 1000,
    )
