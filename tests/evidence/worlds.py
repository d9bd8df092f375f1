"""A node over the packaged chain, in this process: what bundles in these tests are made of."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from msgspec import structs

from validation import evidence
from validation.checkpoint import Checkpoint
from validation.devnode.chain import Chain
from validation.devnode.methods import methods
from validation.lineage import lineage_to
from validation.rpc import Call, Reply
from validation.rpc.wire import fragment
from validation.subjects import parse_subject
from validation.validators import Grounds, Heard, Outcome, validate

MADE_AT = 1_790_000_000.125

type Lie = Callable[[str, Any], Any]


@cache
def chain() -> Chain:
    return Chain.load()


class ChainNode:
    """Answers as the demo node does. `lie` is given a method and its decoded result."""

    def __init__(self, *, label: str = "node-1:8545", lie: Lie | None = None) -> None:
        self._methods = methods(chain())
        self._label = label
        self._lie = lie

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        raws = tuple(self._raw(call) for call in calls)
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, self._label, raws)

    def _raw(self, call: Call) -> bytes:
        params = json.loads(b"{" + fragment(call))["params"]
        raw = self._methods[call.method](params)
        if self._lie is None:
            return raw
        return json.dumps(self._lie(call.method, json.loads(raw))).encode()


@cache
def small_block() -> int:
    """The block with the fewest transactions that has logs: quick to verify many times over."""
    sizes = []
    for number in range(1, chain().latest):
        receipts = json.loads(chain().receipts_json(number))
        if any(receipt["logs"] for receipt in receipts):
            sizes.append((len(receipts), number))
    return min(sizes)[1]


def subjects() -> dict[str, str]:
    block = json.loads(chain().block_json(small_block(), full=True))
    receipts = json.loads(chain().receipts_json(small_block()))
    with_logs = next(receipt for receipt in receipts if receipt["logs"])
    return {
        "tx": f"tx:{with_logs['transactionHash']}",
        "block": f"block:{block['hash']}",
        "address": f"address:{chain().addresses[0]}",
        "head": "head",
    }


def checkpoint(text: str = "tx:") -> Checkpoint:
    """Two blocks above the small one, or below the head for what is validated there."""
    at_head = text.startswith(("address:", "head"))
    number = chain().latest - 2 if at_head else small_block() + 2
    return Checkpoint(number, chain().blocks[number])


def grounds(text: str = "tx:") -> Grounds:
    trusted = checkpoint(text)
    return Grounds(
        chain_id=chain().chain_id,
        checkpoint=trusted,
        lineage=lineage_to(trusted),
        now=lambda: MADE_AT,
    )


async def made(
    text: str,
    level: int | None,
    *,
    lie: Lie | None = None,
    explain: bool = True,
    others: Mapping[str, object] | None = None,
) -> tuple[Outcome, bytes]:
    """The outcome of a subject, and its packed bundle. `others`: what other nodes made of it."""
    heard: list[Heard] = []
    subject, known = parse_subject(text), grounds(text)
    outcome = await validate(
        subject,
        level=level,
        fetcher=ChainNode(lie=lie),
        grounds=known,
        heard=heard,
        explain=explain,
    )
    outcome = structs.replace(outcome, **(others or {}))
    packed = evidence.pack(
        subject, level=level, outcome=outcome, heard=heard, grounds=known, made_at=MADE_AT
    )
    return outcome, packed
