"""Level 3 of a transaction: it and its receipt are what their block commits to.

Its place is checked against the transactions root and its receipt against the receipts root of a
header that hashes to the block's hash. What no root holds (gas used, prices, the positions of logs)
is derived from what they hold, and compared.
"""

from validation.rpc.answers import Unreadable
from validation.rpc.schema import Receipt, Transaction
from validation.validators import before_byzantium, derivations
from validation.validators.asking import Ask
from validation.validators.block_evidence import BlockEvidence, Result, Unserved
from validation.validators.findings import Ending, Findings, Flaw, mismatch
from validation.validators.trie_values import outcome_of


async def examine(
    tx: Transaction, receipt: Receipt, findings: Findings, *, ask: Ask
) -> Ending | None:
    """Of a transaction that names its block."""
    evidence = await ask.grounds.blocks.of(str(tx.block_hash), ask)
    if isinstance(evidence, Unreadable):
        return findings.malformed(evidence)
    if isinstance(evidence, Unserved):
        findings.skip("block_header", *evidence)
        return None
    if not report("block_header", evidence.header, findings, evidence.node):
        return None
    index = int(str(tx.transaction_index), 16)
    _examine_place(tx, index, evidence, findings)
    result = before_byzantium.receipts_result(evidence, ask.chain_id)
    if not report("receipt_in_block", result, findings, evidence.node):
        return None
    if index >= len(evidence.receipts):
        return None  # told of its place already
    _examine_receipt(receipt, index, evidence, findings, ask.chain_id)
    if evidence.transactions_root.is_sound:
        derivations.examine(tx, receipt, index, evidence, findings, chain_id=ask.chain_id)
    return None


def report(name: str, result: Result, findings: Findings, node: str) -> bool:
    """Make the check that a block's evidence has decided; whether it is sound."""
    if result.skip is not None:
        findings.skip(name, *result.skip)
    else:
        findings.settle(name, result.flaw, node=node)
    return result.is_sound


def _examine_place(
    tx: Transaction, index: int, evidence: BlockEvidence, findings: Findings
) -> None:
    """The envelope's hash stands for it: level 2 has rebuilt it from the transaction."""
    if evidence.transactions_root.is_sound:
        findings.settle("in_block", _place_flaw(tx, index, evidence))
    else:
        report("in_block", evidence.transactions_root, findings, evidence.node)


def _place_flaw(tx: Transaction, index: int, evidence: BlockEvidence) -> Flaw | None:
    number = evidence.block.number
    if tx.block_number != number and int(str(tx.block_number), 16) != int(number, 16):
        return mismatch(number, tx.block_number, "blockNumber")
    if index >= len(evidence.hashes):
        count = len(evidence.hashes)
        text = f"transactionIndex is {index}, the block holds {count} transactions"
        return Flaw(text, f"below {count}", str(index))
    standing = evidence.hashes[index]
    if standing != tx.hash.lower():
        return mismatch(standing, tx.hash.lower(), f"at position {index}")
    return None


def _examine_receipt(
    receipt: Receipt, index: int, evidence: BlockEvidence, findings: Findings, chain_id: int | None
) -> None:
    known = evidence.receipts[index]
    rootless = before_byzantium.rootless(receipt, known, evidence.block, findings.node, chain_id)
    if rootless is not None and _receipt_flaw(rootless[0], known) is None:
        findings.skip("receipt_same", *rootless[1])
    elif isinstance(receipt.root, str) and isinstance(receipt.status, str):
        # Nodes that give both for blocks from before Byzantium know the status by themselves.
        text = "status is given beside root: before Byzantium nothing commits to it"
        findings.skip("receipt_same", "unknown_rules", text)
    else:
        findings.settle("receipt_same", None if receipt == known else _receipt_flaw(receipt, known))


def _receipt_flaw(receipt: Receipt, known: Receipt) -> Flaw | None:
    """The first field that the receipts root commits to and that differs."""
    compared = (
        ("status", outcome_of(known), outcome_of(receipt)),
        ("cumulativeGasUsed", known.cumulative_gas_used, receipt.cumulative_gas_used),
        ("logsBloom", known.logs_bloom, receipt.logs_bloom),
        ("type", known.type or "0x0", receipt.type or "0x0"),
        ("number of logs", str(len(known.logs)), str(len(receipt.logs))),
    )
    for name, computed, claimed in compared:
        if computed.lower() != claimed.lower():
            return mismatch(computed, claimed, name)
    for place, (log, other) in enumerate(zip(receipt.logs, known.logs, strict=True)):
        for name, held, true in (
            ("address", log.address, other.address),
            ("topics", ",".join(log.topics), ",".join(other.topics)),
            ("data", log.data, other.data),
        ):
            if held.lower() != true.lower():
                return mismatch(true, held, f"{name} of log {place}")
    return None
