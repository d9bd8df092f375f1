"""Level 3 of a block: what its header commits to, recomputed from its body and its receipts."""

from validation.proofs import ordered_root
from validation.rpc.answers import Unreadable
from validation.rpc.schema import Block
from validation.validators import (
    before_byzantium,
    block_evidence,
    block_receipts,
    block_rules,
    parentage,
    requests,
    uncles,
)
from validation.validators.asking import Ask
from validation.validators.block_evidence import BlockEvidence, Unserved
from validation.validators.findings import Ending, Findings
from validation.validators.in_block import report
from validation.validators.trie_values import withdrawal_value


async def examine(
    block: Block, unknown: tuple[str, ...], findings: Findings, *, ask: Ask
) -> Ending | None:
    """`unknown` are the block's unknown fields."""
    evidence = await ask.grounds.blocks.of(block.hash, ask)
    if isinstance(evidence, Unreadable):
        return findings.malformed(evidence)
    await _examine_transactions(block, unknown, evidence, findings)
    if (
        not findings.failed
    ):  # else it is not the block's transactions that receipts are held against
        await _examine_receipts(block, evidence, findings, ask.chain_id)
    _examine_withdrawals(block, findings)
    _examine_blobs(block, findings, ask.chain_id)
    ending = await uncles.examine(block, findings, ask=ask)
    return ending or await parentage.examine(block, findings, ask=ask)


async def _examine_transactions(
    block: Block,
    unknown: tuple[str, ...],
    evidence: BlockEvidence | Unserved,
    findings: Findings,
) -> None:
    """Once more only where the evidence holds another body than the block does."""
    if (
        isinstance(evidence, BlockEvidence)
        and evidence.header.is_sound
        and evidence.block.transactions == block.transactions
        and evidence.block.transactions_root == block.transactions_root
    ):
        result = evidence.transactions_root
    else:
        result, _ = await block_evidence.transactions_root(block, unknown)
    report("transactions_root", result, findings, findings.node)


async def _examine_receipts(
    block: Block, evidence: BlockEvidence | Unserved, findings: Findings, chain_id: int | None
) -> None:
    if isinstance(evidence, Unserved):
        findings.skip("receipts_root", *evidence)
        return
    node = evidence.node
    if not report("block_header", evidence.header, findings, node):
        return
    result = before_byzantium.receipts_result(evidence, chain_id)
    if not report("receipts_root", result, findings, node):
        return
    block_receipts.examine_totals(block, evidence, findings)
    await block_receipts.examine_each(block, evidence, findings, chain_id)
    requests.examine(block, evidence, findings, chain_id)


def _examine_withdrawals(block: Block, findings: Findings) -> None:
    claimed, given = block.withdrawals_root, block.withdrawals
    if not isinstance(claimed, str):
        if given:
            text = f"{len(given)} withdrawals, and the header has no root of them"
            findings.fail("withdrawals_root", text, computed="none", claimed=len(given))
        return
    if not isinstance(given, tuple):
        findings.skip("withdrawals_root", "withdrawals_not_served", "the node names none")
        return
    computed = "0x" + ordered_root([withdrawal_value(each) for each in given]).hex()
    findings.match("withdrawals_root", computed=computed, claimed=claimed.lower())


def _examine_blobs(block: Block, findings: Findings, chain_id: int | None) -> None:
    blobs = sum(len(tx.blob_versioned_hashes or ()) for tx in block.transactions)
    computed, told = blobs * block_rules.GAS_PER_BLOB, block.blob_gas_used
    if not isinstance(told, str):
        if blobs:
            text = f"{blobs} blobs, and the header has no gas of them"
            findings.fail("blob_gas", text, computed=computed, claimed="none")
        return
    if any(tx.type_number is None for tx in block.transactions):
        findings.skip("blob_gas", "unknown_type", "transactions of unknown types may hold blobs")
        return
    claimed, time = int(told, 16), int(block.timestamp, 16)
    rules = block_rules.blob_rules(chain_id, time)
    most = max((each.most_gas for each in rules), default=0)
    if claimed != computed and not block_rules.are_known_at(chain_id, time):
        text = f"{blobs} blobs are {computed} gas by Ethereum's rules, the node says {claimed}"
        findings.skip("blob_gas", "unknown_rules", text)
    elif claimed == computed and claimed > most:
        text = f"blobGasUsed is {claimed}, at most {most} is allowed"
        if block_rules.are_binding(chain_id, time):
            findings.fail("blob_gas", text, computed=f"at most {most}", claimed=claimed)
        else:
            findings.skip("blob_gas", "unknown_rules", text)
    else:
        findings.match("blob_gas", computed=computed, claimed=claimed)
