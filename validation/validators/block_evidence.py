"""A block with its receipts, as one node gave them, verified against the block's hash.

Only what the hash commits to is verified here, once for all items of the block: its header, its
transactions, and of its receipts the status, the running total of gas, the bloom and the content of
logs. Whatever else an item claims is derived from that.
"""

import asyncio
from itertools import accumulate
from typing import Final, NamedTuple

from validation.proofs import ordered_root
from validation.rpc import Call, CallRefused
from validation.rpc.answers import Answer, Unreadable, read_block, read_block_receipts
from validation.rpc.schema import Block, Receipt
from validation.validators.crypto import keccak256
from validation.validators.envelope import encode
from validation.validators.findings import Flaw, mismatch
from validation.validators.header import header_hash
from validation.validators.heard import Fetcher, Heard
from validation.validators.trie_values import receipt_type, receipt_value

_VALUES_A_TURN: Final = 64
"""Others of the event loop get a turn after about a millisecond of encoding."""


class Unserved(NamedTuple):
    """It cannot be had, or nothing follows from it: the reason code of a skip, and the sentence."""

    reason: str
    text: str


class Result(NamedTuple):
    """Of one check of a block: at most one of a flaw and a reason to skip it."""

    flaw: Flaw | None = None
    skip: Unserved | None = None

    @property
    def is_sound(self) -> bool:
        return self.flaw is None and self.skip is None


class BlockEvidence:
    """Not to be changed once it is verified. `node` gave all of it, in one batch."""

    __slots__ = (
        "block",
        "gas_before",
        "hashes",
        "header",
        "logs_before",
        "node",
        "receipts",
        "receipts_root",
        "transactions_root",
    )

    def __init__(self, block: Block, receipts: tuple[Receipt, ...], *, node: str) -> None:
        self.block = block
        self.receipts = receipts
        self.node = node
        self.header = self.transactions_root = self.receipts_root = Result()
        self.hashes: tuple[str, ...] = ()
        """Of the transactions, recomputed from their content."""
        totals = [int(receipt.cumulative_gas_used, 16) for receipt in receipts]
        self.gas_before = (0, *totals)
        """The running total before each receipt, and after the last."""
        self.logs_before = tuple(accumulate((len(r.logs) for r in receipts), initial=0))
        """How many logs of the block come before those of each receipt, and how many in all."""

    @property
    def is_sound(self) -> bool:
        """Whether all of it is what the block's hash commits to."""
        results = (self.header, self.transactions_root, self.receipts_root)
        return all(result.is_sound for result in results)


def calls(block_hash: str) -> tuple[Call, ...]:
    """What is asked for, in one round trip to one node."""
    return (
        Call("eth_getBlockByHash", (block_hash, True), read_block),
        Call("eth_getBlockReceipts", (block_hash,), read_block_receipts),
    )


async def gather(
    block_hash: str, fetcher: Fetcher, *, fresh: bool
) -> tuple[BlockEvidence | Unserved | Unreadable, tuple[Heard, ...]]:
    """Ask for the evidence of a block and verify it; with it, what was heard."""
    questions = calls(block_hash)
    try:
        reply = await fetcher.fetch(questions, fresh=fresh)
    except CallRefused as refusal:
        if refusal.retryable:
            raise
        return Unserved("receipts_not_served", str(refusal)), ()
    heard = (Heard(questions, reply),)
    block, receipts = reply.values
    for answer in (block, receipts):
        if isinstance(answer, Unreadable):
            return answer, heard
    if block is None:
        return Unserved("block_not_served", f"{reply.node} does not know block {block_hash}"), heard
    if receipts is None:
        text = f"{reply.node} does not know the receipts of block {block_hash}"
        return Unserved("receipts_not_served", text), heard
    if block.value.transactions and not receipts.value:
        # Some nodes write so that they have none of a block that was reorganised away.
        text = f"{reply.node} names no receipt of block {block_hash}, which has transactions"
        return Unserved("receipts_not_served", text), heard
    evidence = BlockEvidence(block.value, receipts.value, node=reply.node)
    await _verify(evidence, block_hash, block, receipts)
    return evidence, heard


async def _verify(
    evidence: BlockEvidence, block_hash: str, block: Answer, receipts: Answer
) -> None:
    computed = header_hash(evidence.block)
    evidence.header = _result(computed, block_hash, "the block's header", block.unknown)
    if evidence.header.is_sound and evidence.block.hash.lower() != block_hash:
        evidence.header = Result(mismatch(block_hash, evidence.block.hash, "the block's hash"))
    if not evidence.header.is_sound:
        return  # then its roots are nobody's
    evidence.transactions_root, evidence.hashes = await transactions_root(
        evidence.block, block.unknown
    )
    evidence.receipts_root = await _receipts_root(evidence, receipts.unknown)


async def transactions_root(
    block: Block, unknown: tuple[str, ...]
) -> tuple[Result, tuple[str, ...]]:
    """Of a block, with the hashes of its transactions; `unknown` are its unknown fields."""
    values: list[bytes] = []
    for index, tx in enumerate(block.transactions):
        if tx.type_number is None:
            return _unknown_type(f"transaction {index} is of type {tx.type}"), ()
        if index % _VALUES_A_TURN == _VALUES_A_TURN - 1:
            await asyncio.sleep(0)
        values.append(encode(tx))
    claimed = block.transactions_root.lower()
    result = _result(_root(values), claimed, "the transactions root", unknown)
    return result, tuple(["0x" + keccak256(value).hex() for value in values])


async def _receipts_root(evidence: BlockEvidence, unknown: tuple[str, ...]) -> Result:
    values: list[bytes] = []
    for index, receipt in enumerate(evidence.receipts):
        number = receipt_type(receipt)
        if number is None:
            return _unknown_type(f"receipt {index} is of type {receipt.type}")
        if index % _VALUES_A_TURN == _VALUES_A_TURN - 1:
            await asyncio.sleep(0)
        values.append(receipt_value(receipt, number))
    claimed = evidence.block.receipts_root.lower()
    result = _result(_root(values), claimed, "the receipts root", unknown)
    expected = len(evidence.block.transactions)
    if result.is_sound and len(values) != expected:
        if evidence.transactions_root.skip is not None:
            return evidence.transactions_root
        text = f"{expected} transactions, and the receipts root holds {len(values)} receipts"
        return Result(Flaw(text, str(expected), str(len(values))))
    return result


def _root(values: list[bytes]) -> str:
    return "0x" + ordered_root(values).hex()


def _result(computed: str, claimed: str, what: str, unknown: tuple[str, ...]) -> Result:
    """With an unknown field, which may be a part of what was hashed, a mismatch proves nothing."""
    if computed == claimed:
        return Result()
    if unknown:
        text = f"{', '.join(unknown)} may be a part of {what}"
        return Result(skip=Unserved("unknown_field", text))
    return Result(mismatch(computed, claimed, what))


def _unknown_type(what: str) -> Result:
    return Result(skip=Unserved("unknown_type", f"{what}, which nothing here can encode"))
