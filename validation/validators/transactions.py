"""Validates a transaction: its envelope, its signature, and the receipt that goes with it."""

from typing import Any

from validation.rpc import Call
from validation.rpc.answers import read_receipt, read_transaction
from validation.rpc.schema import Receipt, Transaction
from validation.subjects import Subject
from validation.validators import anchored, in_block
from validation.validators.asking import Ask
from validation.validators.envelope import rebuild
from validation.validators.findings import Ending, Findings
from validation.validators.outcome import Verdict
from validation.validators.receipts import examine_receipt
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
        "block_header", "in_block", "receipt_in_block", "receipt_same", "gas_used",
        "gas_price_derived", "log_positions",
    }),
    **anchored.EARNED_BY,
}  # fmt: skip

_CONTENT = ("hash", "signature", "sender", "chain_id")


def calls(subject: Subject, level: int = 1) -> tuple[Call, ...]:
    del level  # what more it takes is asked once the block is known
    params = (subject.value,)
    return (
        Call("eth_getTransactionByHash", params, read_transaction),
        Call("eth_getTransactionReceipt", params, read_receipt),
    )


async def examine(
    subject: Subject, values: Any, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    answer, receipt_answer = values
    findings.passed("answered")
    ending = findings.malformed(answer, receipt_answer)
    if ending is not None:
        return ending
    if answer is None:
        if receipt_answer is not None:
            return Ending(Verdict.UNVERIFIABLE, "answers_disagree")
        return Ending(Verdict.NOT_FOUND, "not_found")
    tx: Transaction = answer.value
    findings.stands_in(tx.block_number, tx.block_hash)
    if level < 1:
        return None
    receipt: Receipt | None = None
    unknown = answer.unknown
    if receipt_answer is not None:
        receipt = receipt_answer.value
        unknown += receipt_answer.unknown
    _examine_form(subject, tx, receipt, unknown, findings)
    if level > 1:
        _examine_content(tx, findings, doubtful=bool(answer.unknown), chain_id=ask.chain_id)
        if receipt is not None and isinstance(tx.block_hash, str):
            examine_receipt(tx, receipt, findings, grounds=ask.grounds)
            if level > 2 and _may_climb(tx, findings, ask):  # noqa: PLR2004 - in its block
                return await _examine_above(tx, receipt, findings, level=level, ask=ask)
    return None


def _may_climb(tx: Transaction, findings: Findings, ask: Ask) -> bool:
    """What is unsigned stands in its block under another hash than its own."""
    return not findings.failed and not is_unsigned(tx, chain_id=ask.chain_id)


async def _examine_above(
    tx: Transaction, receipt: Receipt, findings: Findings, *, level: int, ask: Ask
) -> Ending | None:
    """In its block, and the block in its chain."""
    ending = await in_block.examine(tx, receipt, findings, ask=ask)
    block = findings.block
    if ending is not None or findings.failed or block is None:
        return ending
    if level > 3:  # noqa: PLR2004 - anchored
        await anchored.examine(block.number, block.hash, findings, level=level, ask=ask)
    return None


def _examine_form(
    subject: Subject,
    tx: Transaction,
    receipt: Receipt | None,
    unknown: tuple[str, ...],
    findings: Findings,
) -> None:
    findings.passed("well_formed")
    findings.known_fields(unknown)
    if tx.type_number is None:
        findings.skip("known_type", "unknown_type", f"nothing here can verify type {tx.type}")
    else:
        findings.passed("known_type")
    if tx.hash.lower() != subject.value:
        text = f"asked for {subject.value}, got {tx.hash}"
        findings.fail("asked", text, computed=subject.value, claimed=tx.hash)
    elif receipt is not None and receipt.transaction_hash.lower() != subject.value:
        text = f"asked for {subject.value}, got {receipt.transaction_hash}'s receipt"
        findings.fail("asked", text, computed=subject.value, claimed=receipt.transaction_hash)
    else:
        findings.passed("asked")
    if receipt is None:
        if isinstance(tx.block_hash, str):
            findings.skip("mined", "receipt_missing", f"in block {tx.block_hash}, no receipt")
        else:
            findings.skip("mined", "pending", "in no block yet")
    elif isinstance(tx.block_hash, str):
        findings.passed("mined")
    else:
        # Both were asked at once: the block came between the two answers.
        findings.skip("mined", "pending", f"just now mined in block {receipt.block_hash}")


def _examine_content(
    tx: Transaction, findings: Findings, *, doubtful: bool, chain_id: int | None
) -> None:
    """`doubtful`: an unknown field may be part of the envelope, so a mismatch proves nothing."""
    if tx.type_number is None:
        for name in _CONTENT:
            findings.skip(name, "unknown_type", f"the envelope of type {tx.type} is unknown")
        return
    if is_unsigned(tx, chain_id=chain_id):
        for name in _CONTENT:
            findings.skip(name, "unsigned", UNSIGNED)
        return
    envelope = rebuild(tx)
    if doubtful and envelope.hash != tx.hash.lower():
        for name in _CONTENT:
            findings.skip(name, "unknown_field", "an unknown field may be part of the envelope")
        return
    findings.match("hash", computed=envelope.hash, claimed=tx.hash.lower())
    address, flaw = signer(tx, envelope, chain_id=chain_id)
    findings.settle("signature", flaw)
    if not flaw:
        findings.match("sender", computed=address, claimed=tx.sender.lower())
    if is_unbound(tx, envelope, chain_id=chain_id):
        findings.skip("chain_id", "chain_id_unbound", f"chainId {tx.chain_id} is not signed")
    else:
        findings.settle("chain_id", chain_id_flaw(tx, envelope, chain_id=chain_id))
