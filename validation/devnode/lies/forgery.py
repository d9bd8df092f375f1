"""Blocks that never were and yet hold together: altered, then sealed anew.

Whoever forges a block forges all that names it: its hash, its roots, and the block that its
transactions, receipts and logs say they are in. Headers that nobody looks into stay true, so that
the forged block has true neighbours.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from validation.devnode import consensus
from validation.devnode.lies import foreign
from validation.devnode.lies.lie import Told
from validation.devnode.lies.stock import Document, Stock

type Forge = Callable[["Draft"], None]
"""Alters a draft in place; Unforgeable where it finds nothing to alter."""

MOST_FORGED = 64
_BROKEN = (KeyError, IndexError, TypeError, ValueError)


class Unforgeable(Exception):
    """There is nothing to lie about in this block, or it is of rules that are not known here."""


@dataclass(slots=True, kw_only=True)
class Draft:
    """A block and its receipts, true at first, altered in place."""

    block: Document
    receipts: list[Document]
    stock: Stock

    @property
    def number(self) -> int:
        return int(self.block["number"], 16)

    def seal_contents(self) -> None:
        """Makes of the contents the roots and sums that the header states."""
        block, receipts = self.block, self.receipts
        envelopes = [consensus.envelope(tx) for tx in block["transactions"]]
        block["transactionsRoot"] = _hexed(consensus.list_root(envelopes))
        encoded = [consensus.receipt_bytes(receipt) for receipt in receipts]
        block["receiptsRoot"] = _hexed(consensus.list_root(encoded))
        logs = [log for receipt in receipts for log in receipt["logs"]]
        block["logsBloom"] = _hexed(consensus.bloom(logs))
        block["gasUsed"] = receipts[-1]["cumulativeGasUsed"] if receipts else "0x0"
        if block.get("withdrawals") is not None:
            paid = [consensus.withdrawal_bytes(w) for w in block["withdrawals"]]
            block["withdrawalsRoot"] = _hexed(consensus.list_root(paid))

    def seal_header(self) -> None:
        """Hashes the header and lets everything name the block so."""
        self.block["hash"] = _hexed(consensus.header_hash(self.block))
        for document in (*self.block["transactions"], *self.receipts):
            document["blockHash"] = self.block["hash"]
            if "blockTimestamp" in document:
                document["blockTimestamp"] = self.block["timestamp"]
            for log in document.get("logs", ()):
                log["blockHash"] = self.block["hash"]
                if "blockTimestamp" in log:
                    log["blockTimestamp"] = self.block["timestamp"]


@dataclass(slots=True)
class _Forged:
    """By the true hashes and by the forged ones; None where a block could not be forged."""

    by_truth: dict[str, Draft | None] = field(default_factory=dict)
    by_hash: dict[str, Draft] = field(default_factory=dict)
    by_number: dict[str, Draft] = field(default_factory=dict)

    def forget(self) -> None:
        """A node that runs for days does not stand by each of its lies."""
        for known in (self.by_truth, self.by_hash, self.by_number):
            known.clear()


def forged(name: str, forge: Forge, *, lean: bool = False) -> foreign.Change:
    """Tells of each block that is looked into what `forge` makes of it; `lean`: of headers too."""

    def tell(told: Told) -> Any:
        known: _Forged = told.stock.memory.setdefault(name, _Forged())
        if told.method in foreign.BLOCKS:
            return _block(told, known, forge, lean=lean)
        if told.method == foreign.RECEIPTS:
            draft = _named(known, told.params)
            return draft.receipts if draft else told.result
        if told.method in (foreign.TRANSACTION, foreign.RECEIPT):
            return _member(told, known, forge)
        return told.result

    return tell


def _block(told: Told, known: _Forged, forge: Forge, *, lean: bool) -> Any:
    which, full = told.params
    draft = known.by_hash.get(str(which)) or known.by_number.get(str(which))
    if draft is None and told.method == foreign.BLOCK_BY_NUMBER and told.result is not None:
        is_tag = not str(which).startswith("0x")
        if full or lean or is_tag or told.result["hash"] in known.by_truth:
            draft = _drafted(known, told.stock, told.result["hash"], forge)
    if draft is None:
        return told.result
    if full:
        return draft.block
    return {**draft.block, "transactions": [tx["hash"] for tx in draft.block["transactions"]]}


def _named(known: _Forged, params: Any) -> Draft | None:
    which = params[0] if params else None
    if isinstance(which, dict):
        which = which.get("blockHash") or which.get("blockNumber")
    return known.by_hash.get(str(which)) or known.by_number.get(str(which))


def _member(told: Told, known: _Forged, forge: Forge) -> Any:
    """The transaction or receipt as the forged block has it; null where that has none such."""
    if not isinstance(told.result, dict) or not told.result.get("blockHash"):
        return told.result
    draft = _drafted(known, told.stock, told.result["blockHash"], forge)
    if draft is None:
        return told.result
    is_receipt = told.method == foreign.RECEIPT
    documents = draft.receipts if is_receipt else draft.block["transactions"]
    wanted, name = told.params[0], "transactionHash" if is_receipt else "hash"
    return next((one for one in documents if one[name] == wanted), None)


def _drafted(known: _Forged, stock: Stock, true_hash: str, forge: Forge) -> Draft | None:
    if true_hash not in known.by_truth:
        if len(known.by_truth) >= MOST_FORGED:
            known.forget()
        draft = known.by_truth[true_hash] = _forge(stock, true_hash, forge)
        if draft is not None:
            known.by_hash[draft.block["hash"]] = draft
            known.by_number[draft.block["number"]] = draft
    return known.by_truth[true_hash]


def _forge(stock: Stock, true_hash: str, forge: Forge) -> Draft | None:
    block = stock.say(foreign.BLOCK_BY_HASH, true_hash, True)
    receipts = stock.say(foreign.RECEIPTS, true_hash)
    if not block or receipts is None:
        return None
    try:
        if _hexed(consensus.header_hash(block)) != block["hash"]:
            return None  # its header has fields that are not known here
        draft = Draft(block=block, receipts=receipts, stock=stock)
        forge(draft)
    except (*_BROKEN, Unforgeable):
        return None
    return draft


def _hexed(value: bytes) -> str:
    return "0x" + value.hex()
