"""A block against its receipts: what they add up to, and what each of them says beside its root."""

import asyncio
from functools import reduce
from operator import or_
from typing import Final, NamedTuple

from validation.rpc.schema import Block, Receipt, Transaction
from validation.validators import derivations, receipts
from validation.validators.block_evidence import BlockEvidence, Unserved
from validation.validators.findings import Findings, Flaw, mismatch

_RECEIPTS_A_TURN: Final = 32
"""Others of the event loop get a turn after about a millisecond."""


class Blame(NamedTuple):
    """`node` None: nobody is to blame."""

    flaw: Flaw
    node: str | None


def examine_totals(block: Block, evidence: BlockEvidence, findings: Findings) -> None:
    computed = reduce(or_, map(receipts.bloom_of, evidence.receipts), 0)
    claimed = int(block.logs_bloom, 16)
    findings.settle("block_bloom", receipts.bloom_difference(computed, claimed))
    used, limit = int(block.gas_used, 16), int(block.gas_limit, 16)
    if used > limit:
        text = f"gasUsed is {used}, above the limit of {limit}"
        findings.fail("block_gas", text, computed=f"at most {limit}", claimed=used)
    else:
        findings.match("block_gas", computed=evidence.gas_before[-1], claimed=used)


async def examine_each(
    block: Block, evidence: BlockEvidence, findings: Findings, chain_id: int | None
) -> None:
    """The first flaw, or else the first reason to skip, is told. The block's transactions are
    those of its root.
    """
    if len(evidence.receipts) != len(block.transactions):
        count = len(evidence.receipts)
        text = f"{len(block.transactions)} transactions, {count} receipts"
        node = evidence.node
        findings.fail("receipts", text, computed=len(block.transactions), claimed=count, node=node)
        return
    skipped: Unserved | None = None
    for index, (tx, receipt) in enumerate(zip(block.transactions, evidence.receipts, strict=True)):
        if index % _RECEIPTS_A_TURN == _RECEIPTS_A_TURN - 1:
            await asyncio.sleep(0)
        found = _found(tx, receipt, index, evidence, chain_id)
        if isinstance(found, Unserved):
            skipped = skipped or found
        blame = Blame(found, evidence.node) if isinstance(found, Flaw) else None
        blame = blame or _uncommitted(tx, receipt, evidence, findings.node)
        if blame is not None:
            told = blame.flaw._replace(detail=f"transaction {index}: {blame.flaw.detail}")
            findings.settle("receipts", told, node=blame.node)
            return
    if skipped is not None:
        findings.skip("receipts", *skipped)
    else:
        findings.passed("receipts")


def _found(
    tx: Transaction, receipt: Receipt, index: int, evidence: BlockEvidence, chain_id: int | None
) -> Flaw | Unserved | None:
    if tx.type_number is None:
        return Unserved("unknown_type", f"transaction {index} is of type {tx.type}")
    flaw = receipts.first_flaw(tx, receipt)
    if flaw is not None:
        return flaw
    gas = evidence.gas_before[index + 1] - evidence.gas_before[index]
    if int(receipt.gas_used, 16) != gas:
        return mismatch(gas, int(receipt.gas_used, 16), "gasUsed")
    flaw = derivations.position_flaw(receipt, evidence.logs_before[index])
    if flaw is not None:
        return flaw
    blob_gas = receipts.blob_gas_flaw(tx, receipt, chain_id)
    if blob_gas is not None:
        return blob_gas if isinstance(blob_gas, Flaw) else Unserved(*blob_gas)
    return derivations.price_flaw(tx, receipt, evidence.block, chain_id)


def _uncommitted(
    tx: Transaction, receipt: Receipt, evidence: BlockEvidence, giver: str
) -> Blame | None:
    """What who gave the block says beside its roots, and times, of which nobody is accused."""
    if tx.type_number is not None:
        flaw = derivations.own_price_flaw(tx, evidence.block)
        if flaw is not None:
            return Blame(flaw, giver)
    flaw = derivations.own_time_flaw(tx, evidence.block)
    flaw = flaw or derivations.time_flaw(receipt, evidence.block)
    return None if flaw is None else Blame(flaw, None)
