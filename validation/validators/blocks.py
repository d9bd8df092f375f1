"""Validates a block: its header, and every transaction in it."""

import asyncio
from typing import Any

from validation.rpc import Call
from validation.rpc.answers import read_block
from validation.rpc.schema import Block, Transaction
from validation.subjects import Subject
from validation.validators import anchored, block_contents
from validation.validators.asking import Ask
from validation.validators.envelope import Envelope, rebuild
from validation.validators.findings import Ending, Findings, Flaw, mismatch
from validation.validators.header import header_hash
from validation.validators.outcome import Verdict
from validation.validators.signing import (
    UNSIGNED,
    chain_id_flaw,
    is_unbound,
    is_unsigned,
    signer,
)

HIGHEST_LEVEL = 5
EARNED_BY = {
    3: frozenset({
        "transactions_root", "block_header", "receipts_root", "block_bloom", "block_gas",
        "receipts", "uncles_hash", "parent", "timestamp",
    }),
    **anchored.EARNED_BY,
}  # fmt: skip

_SWEPT = ("transactions", "senders", "chain_id")
_TRANSACTIONS_A_TURN = 16
"""Others of the event loop get a turn after about a millisecond of signatures."""


def calls(subject: Subject, level: int = 1) -> tuple[Call, ...]:
    del level  # what more it takes is asked once the block is known
    if subject.value.startswith("0x"):
        return (Call("eth_getBlockByHash", (subject.value, True), read_block),)
    return (Call("eth_getBlockByNumber", (hex(int(subject.value)), True), read_block),)


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    (answer,) = values
    findings.passed("answered")
    ending = findings.malformed(answer)
    if ending is not None:
        return ending
    if answer is None:
        return Ending(Verdict.NOT_FOUND, "not_found")
    block: Block = answer.value
    findings.stands_in(block.number, block.hash)
    if level < 1:
        return None
    examine_form(subject.value, block, answer.unknown, findings)
    if level > 1:
        return await examine_above(block, answer.unknown, findings, level=level, ask=ask)
    return None


async def examine_above(
    block: Block, unknown: tuple[str, ...], findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    """From level 2 on: by itself, with its receipts and its parent, and in its chain."""
    examine_header(block, findings, doubtful=bool(unknown))
    findings.settle("positions", _positions_flaw(block))
    await _examine_transactions(block, findings, bool(unknown), ask.chain_id)
    if level < 3 or findings.failed:  # noqa: PLR2004 - what it commits to
        return None
    ending = await block_contents.examine(block, unknown, findings, ask=ask)
    own = findings.block
    if ending is not None or findings.failed or own is None:
        return ending
    if level > 3:  # noqa: PLR2004 - anchored
        await anchored.examine(own.number, own.hash, findings, level=level, ask=ask)
    return None


def examine_header(block: Any, findings: Findings, *, doubtful: bool) -> None:
    """`doubtful`: an unknown field may be part of the header, so a mismatch proves nothing."""
    computed, claimed = header_hash(block), block.hash.lower()
    if doubtful and computed != claimed:
        findings.skip("header_hash", "unknown_field", "an unknown field may be in the header")
    else:
        findings.match("header_hash", computed=computed, claimed=claimed)


def examine_form(asked: str, block: Block, unknown: tuple[str, ...], findings: Findings) -> None:
    """`asked` is a hash in lower case or a number in decimal."""
    findings.passed("well_formed")
    findings.known_fields(unknown)
    strange = next((tx for tx in block.transactions if tx.type_number is None), None)
    if strange is None:
        findings.passed("known_type")
    else:
        text = f"nothing here can verify type {strange.type} of transaction {strange.hash}"
        findings.skip("known_type", "unknown_type", text)
    got = block.hash.lower() if asked.startswith("0x") else str(int(block.number, 16))
    flaw = Flaw(f"asked for {asked}, got {got}", asked, got)
    findings.settle("asked", None if got == asked else flaw)


def _positions_flaw(block: Block) -> Flaw | None:
    for index, tx in enumerate(block.transactions):
        place = (tx.block_hash, tx.block_number, tx.transaction_index)
        if place == (block.hash, block.number, hex(index)):
            continue
        claimed = tuple(held.lower() if isinstance(held, str) else "null" for held in place)
        expected = (block.hash.lower(), block.number.lower(), hex(index))
        if claimed != expected:
            text = f"transaction {index} ({tx.hash}) names {claimed}, its place is {expected}"
            return Flaw(text, " ".join(expected), " ".join(claimed))
    return None


async def _examine_transactions(
    block: Block, findings: Findings, doubtful: bool, chain_id: int | None
) -> None:
    """Rebuild every envelope and recover every sender."""
    sweep = _Sweep(doubtful=doubtful, chain_id=chain_id)
    for index, tx in enumerate(block.transactions):
        if index % _TRANSACTIONS_A_TURN == _TRANSACTIONS_A_TURN - 1:
            await asyncio.sleep(0)
        sweep.examine(index, tx)
    sweep.settle(findings)


class _Sweep:
    """The checks over all transactions of a block; of each, the first flaw is told."""

    __slots__ = ("_chain_id", "_doubtful", "_flaws", "_skips")

    def __init__(self, *, doubtful: bool, chain_id: int | None) -> None:
        self._doubtful = doubtful
        self._chain_id = chain_id
        self._flaws: dict[str, Flaw] = {}
        self._skips: dict[str, tuple[str, str]] = {}

    def examine(self, index: int, tx: Transaction) -> None:
        if tx.type_number is None:
            self._skip_all("unknown_type", f"transaction {index} is of type {tx.type}")
            return
        if is_unsigned(tx, chain_id=self._chain_id):
            self._skip_all("unsigned", f"transaction {index}: {UNSIGNED}")
            return
        envelope = rebuild(tx)
        if envelope.hash != tx.hash.lower():
            if self._doubtful:
                text = f"an unknown field may be part of transaction {index}"
                self._skip_all("unknown_field", text)
                return
            flaw = mismatch(envelope.hash, tx.hash, f"transaction {index}")
            self._flaws.setdefault("transactions", flaw)
        if "senders" not in self._flaws:
            forged = _sender_flaw(index, tx, envelope, self._chain_id)
            if forged is not None:
                self._flaws["senders"] = forged
        if is_unbound(tx, envelope, chain_id=self._chain_id):
            text = f"transaction {index}: chainId {tx.chain_id} is not signed"
            self._skips["chain_id"] = ("chain_id_unbound", text)
        text = chain_id_flaw(tx, envelope, chain_id=self._chain_id)
        if text:
            self._flaws.setdefault("chain_id", Flaw(f"transaction {index}: {text}"))

    def settle(self, findings: Findings) -> None:
        for name in _SWEPT:
            if name in self._skips and name not in self._flaws:
                findings.skip(name, *self._skips[name])
            else:
                findings.settle(name, self._flaws.get(name))

    def _skip_all(self, reason: str, text: str) -> None:
        for name in _SWEPT:
            self._skips.setdefault(name, (reason, text))


def _sender_flaw(
    index: int, tx: Transaction, envelope: Envelope, chain_id: int | None
) -> Flaw | None:
    address, flaw = signer(tx, envelope, chain_id=chain_id)
    if flaw:
        return Flaw(f"transaction {index}: {flaw}")
    if address != tx.sender.lower():
        return mismatch(address, tx.sender, f"transaction {index}")
    return None
