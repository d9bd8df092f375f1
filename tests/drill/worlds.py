"""The packaged chain as the truth beneath the lies, in this process."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from validation.checkpoint import Checkpoint
from validation.devnode import wire
from validation.devnode.chain import Chain
from validation.devnode.lies import Stock
from validation.devnode.methods import Method, methods
from validation.devnode.truth import stock
from validation.devnode.wire import Asked
from validation.drill import Item, Trust
from validation.rpc import Call, NodeUrl, Reply, RpcConfig

NODE = NodeUrl.parse("http://127.0.0.1:8545")
FINAL_BEHIND = 40
_LOOKED_AT = 40


@cache
def chain() -> Chain:
    return Chain.load()


@dataclass(frozen=True, slots=True)
class ChainTruth:
    """`Truth` of the packaged chain, final up to `final`, or all of it."""

    final: int | None = None

    async def reply(self, asked: Asked) -> bytes:
        return wire.reply(asked, _methods(self.final))

    def stock(self) -> Stock:
        return stock(chain(), _methods(self.final))


@cache
def _methods(final: int | None) -> Mapping[str, Method]:
    return methods(chain(), final=final)


def _receipts(number: int) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(chain().receipts_json(number))
    return found


@cache
def small_block() -> int:
    """The smallest of the newest blocks that has logs, a creation and blobs: quick to lie about."""

    def has_all(number: int) -> bool:
        receipts = _receipts(number)
        wanted = ("logs", "contractAddress", "blobGasUsed")
        return all(any(receipt.get(name) for receipt in receipts) for name in wanted)

    sizes = [(len(_receipts(n)), n) for n in _newest() if has_all(n)]
    return min(sizes)[1]


def _newest() -> range:
    return range(chain().latest - _LOOKED_AT, chain().latest)


def items() -> list[Item]:
    number = small_block()
    receipts = _receipts(number)
    logged = next(r for r in receipts if r["logs"] and r["transactionIndex"] != "0x0")
    creation = next(r for r in receipts if r["contractAddress"])
    account = next(a for a in chain().accounts.values() if a.storage and a.code != "0x")
    slot = next(iter(account.storage))
    return [
        Item(kind="tx", subject=f"tx:{logged['transactionHash']}"),
        Item(kind="creation", subject=f"tx:{creation['transactionHash']}"),
        Item(kind="block", subject=f"block:{number}"),
        Item(kind="address", subject=f"address:{account.address}"),
        Item(kind="slot", subject=f"address:{account.address}/{slot}"),
        Item(kind="head", subject="head"),
    ]


def unfinal() -> list[Item]:
    """With `ChainTruth(chain().latest - FINAL_BEHIND)`."""
    return [Item(kind="unfinal", subject=f"block:{chain().latest - 1}")]


class HonestOther:
    """Another node, which tells the truth up to `final`."""

    def __init__(self, final: int | None) -> None:
        self._final = final

    def labels(self) -> tuple[str, ...]:
        return ("honest:8545",)

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        raws = tuple(_methods(self._final)[call.method](call.params) for call in calls)
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, node, raws)


def trust(checkpoint: int | None = None, *, final: int | None = None) -> Trust:
    """The checkpoint is the newest block, unless another is named."""
    number = chain().latest if checkpoint is None else checkpoint
    return Trust(
        config=RpcConfig(nodes=(NODE,), chain_id=chain().chain_id),
        checkpoint=Checkpoint(number, chain().blocks[number]),
        others=HonestOther(final),
    )
