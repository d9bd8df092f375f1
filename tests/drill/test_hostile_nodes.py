"""A node whose answers are no answers: the drill says which field, and never fails on it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from tests.drill import worlds
from validation.devnode.lies import LIES, Stock
from validation.devnode.wire import Asked
from validation.drill import DrillError, Report, Tape, Trust, gather, run
from validation.drill.lying import LyingPosts
from validation.rpc import RpcClient

type Twist = Callable[[Any], Any]

BLOCK, RECEIPTS = "eth_getBlockByNumber", "eth_getBlockReceipts"


@dataclass(frozen=True, slots=True)
class Twisted:
    """The packaged chain, but for what is made of the answers to one method."""

    method: str
    twist: Twist

    def stock(self) -> Stock:
        return worlds.ChainTruth().stock()

    async def reply(self, asked: Asked) -> bytes:
        truth = msgspec.json.decode(await worlds.ChainTruth().reply(asked))
        replies = truth if isinstance(truth, list) else [truth]
        for call, reply in zip(asked.answered(), replies, strict=True):
            if getattr(call, "method", "") == self.method and reply.get("result") is not None:
                reply["result"] = self.twist(reply["result"])
        return msgspec.json.encode(truth)


def drilled(method: str, twist: Twist) -> Report:
    trust: Trust = worlds.trust()
    posts = LyingPosts(Twisted(method, twist), None, max_body_bytes=trust.config.max_body_bytes)

    async def whole() -> Report:
        client = RpcClient(trust.config, transport=posts)
        try:
            tape = Tape(client)
            items = await gather(tape, trust.checkpoint)
            return await run(tape, items, trust, lies=[LIES["tx-value"], LIES["slot-value"]])
        finally:
            await client.aclose()

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("method", "twist", "named"),
    [
        (BLOCK, lambda _: {}, "number of the node's newest block is missing"),
        (BLOCK, lambda b: b | {"number": "zz"}, "number of the node's newest block is 'zz'"),
        (BLOCK, lambda b: b | {"hash": 7}, "hash of the node's newest block is 7"),
        (BLOCK, lambda b: b | {"number": "0x" + "f" * 99}, "number of the node's newest block"),
        (BLOCK, lambda b: b | {"transactions": "all"}, "transactions of the node's block is 'all'"),
        (RECEIPTS, lambda _: {"a": 1}, "list of receipts is no list but {'a': 1}"),
        (RECEIPTS, lambda _: [1], r"list of receipts\[0\] is no object but 1"),
        (
            RECEIPTS,
            lambda rs: [r | {"logs": None} for r in rs],
            "logs of the node's receipt is",
        ),
        (RECEIPTS, lambda rs: [r | {"logs": [[]]} for r in rs], r"list of logs\[0\] is no object"),
        (
            RECEIPTS,
            lambda rs: [r | {"from": "me"} for r in rs],
            "from of the node's receipt is",
        ),
    ],
)
def test_it_names_the_field_that_is_none(method: str, twist: Twist, named: str) -> None:
    with pytest.raises(DrillError, match=named):
        drilled(method, twist)


@pytest.mark.parametrize(
    ("method", "twist"),
    [
        (BLOCK, lambda b: b | {"transactions": [None, 7, []]}),
        (RECEIPTS, lambda rs: [{**r, "gasUsed": [], "logsBloom": {}} for r in rs]),
        ("eth_getProof", lambda _: "no proof"),
        ("eth_getTransactionByHash", lambda _: [[], {}]),
    ],
)
def test_what_only_validators_read_is_an_answer_like_any_other(method: str, twist: Twist) -> None:
    report = drilled(method, twist)
    assert report.is_whole
    assert report.items
