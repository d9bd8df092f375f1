"""Lies that are the truth about something else: another item, another block, nothing at all."""

from collections.abc import Callable, Collection
from typing import Any

from validation.devnode.lies.lie import Told
from validation.devnode.lies.stock import Document, Stock

type Change = Callable[[Told], Any]

TRANSACTION = "eth_getTransactionByHash"
RECEIPT = "eth_getTransactionReceipt"
RECEIPTS = "eth_getBlockReceipts"
BLOCK_BY_HASH = "eth_getBlockByHash"
BLOCK_BY_NUMBER = "eth_getBlockByNumber"
PROOF = "eth_getProof"
BLOCKS = (BLOCK_BY_HASH, BLOCK_BY_NUMBER)

FURTHEST_BACK = 100


def only(methods: Collection[str], change: Change) -> Change:
    """Tells the lie in answers of these methods and the truth in all others."""

    def tell(told: Told) -> Any:
        return change(told) if told.method in methods else told.result

    return tell


def neighbour(stock: Stock, of: Document) -> Document | None:
    """Another transaction of the block that this one or this receipt is in, or of that before."""
    block = stock.say(BLOCK_BY_NUMBER, of["blockNumber"], True)
    own = of.get("hash") or of["transactionHash"]
    for place in (block, before(stock, block, full=True) if block else None):
        found = [tx for tx in place["transactions"] if tx["hash"] != own] if place else []
        if found:
            index = int(of["transactionIndex"], 16)
            other: Document = found[index % len(found)]
            return other
    return None


def before(stock: Stock, block: Document, *, full: bool) -> Document | None:
    number = int(block["number"], 16)
    said: Document | None = stock.say(BLOCK_BY_NUMBER, hex(number - 1 if number else 1), full)
    return said


def another_transaction(told: Told) -> Any:
    if told.method != TRANSACTION or not told.result:
        return told.result
    return neighbour(told.stock, told.result) or told.result


def another_receipt(told: Told) -> Any:
    if told.method != RECEIPT or not told.result:
        return told.result
    other = neighbour(told.stock, told.result)
    return (other and receipt_of(told.stock, other)) or told.result


def receipt_of(stock: Stock, tx: Document) -> Document | None:
    receipts = stock.say(RECEIPTS, tx["blockHash"]) or ()
    found = (receipt for receipt in receipts if receipt["transactionHash"] == tx["hash"])
    return next(found, None)


_PLACE = ("transactionHash", "transactionIndex", "blockHash", "blockNumber", "from", "to", "type")


def relabelled_receipt(told: Told) -> Any:
    """Another transaction's receipt, wearing everything by which this one would be known."""
    receipt = another_receipt(told)
    if receipt is told.result:
        return told.result
    worn = {name: told.result[name] for name in _PLACE if name in told.result}
    receipt.update(worn, contractAddress=told.result.get("contractAddress"))
    for log in receipt["logs"]:
        log.update({name: worn[name] for name in _PLACE[:4]})
    return receipt


def _is_block(told: Told) -> bool:
    return told.method in BLOCKS and isinstance(told.result, dict)


def _is_full(told: Told) -> bool:
    return bool(told.params[1:]) and told.params[1] is True


def another_block(told: Told) -> Any:
    if not _is_block(told):
        return told.result
    return before(told.stock, told.result, full=_is_full(told)) or told.result


def relabelled_block(told: Told) -> Any:
    """The block before under this one's number and hash, which its transactions name too."""
    other = another_block(told)
    if other is told.result:
        return told.result
    other.update({name: told.result[name] for name in ("hash", "number")})
    for tx in other["transactions"]:
        if isinstance(tx, dict):
            tx.update(blockHash=other["hash"], blockNumber=other["number"])
    return other


def receipts_of_another_block(told: Told) -> Any:
    if told.method != RECEIPTS or not told.params:
        return told.result
    which = told.params[0]
    by = BLOCK_BY_HASH if isinstance(which, str) and len(which) > 60 else BLOCK_BY_NUMBER  # noqa: PLR2004 - a hash's digits
    block = told.stock.say(by, which, False) or told.stock.say(by, which, True)
    other = before(told.stock, block, full=True) if block else None
    return (other and told.stock.say(RECEIPTS, other["hash"])) or told.result


def nothing(told: Told) -> Any:
    """Null for what exists; the node's own facts stay."""
    known = told.method.startswith("eth_get")
    return None if known and isinstance(told.result, dict | list) else told.result


def withheld(*methods: str) -> Change:
    """Null, in answers of these methods."""
    return only(methods, nothing)


def stale_head(told: Told) -> Any:
    """An old block, true in itself, for the newest one; and its number."""
    if told.method == "eth_blockNumber" and isinstance(told.result, str):
        return hex(max(0, int(told.result, 16) - FURTHEST_BACK))
    if not _is_block(told) or told.params[0] not in ("latest", "pending"):
        return told.result
    return _back(told) or told.result


def _back(told: Told) -> Document | None:
    """The oldest block at hand that is at most so far back."""
    newest = int(told.result["number"], 16)
    for number in (max(0, newest - FURTHEST_BACK), max(0, newest - 1)):
        said: Document | None = told.stock.say(BLOCK_BY_NUMBER, hex(number), _is_full(told))
        if said:
            return said
    return None


def _is_finalized(told: Told) -> bool:
    return _is_block(told) and told.params[0] == "finalized"


def finality_behind(told: Told) -> Any:
    return (_is_finalized(told) and _back(told)) or told.result


def finality_ahead(told: Told) -> Any:
    if not _is_finalized(told):
        return told.result
    return told.stock.say(BLOCK_BY_NUMBER, "latest", _is_full(told)) or told.result
