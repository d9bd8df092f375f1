"""Checks that a receipt is the one of its transaction, as far as the two can tell by themselves.

No root is looked at here: status, gas used and the content of logs are the node's word until the
receipts root is verified.
"""

from typing import Any

from validation.rpc.schema import Log, Receipt, Transaction
from validation.validators.block_rules import GAS_PER_BLOB, are_known
from validation.validators.crypto import bloom_bits, created_address
from validation.validators.findings import Findings, Flaw, mismatch
from validation.validators.grounds import Grounds

_BLOB_TYPE = 3
_EMPTY_BLOOM = "0x" + "0" * 512


def examine_receipt(
    tx: Transaction, receipt: Receipt, findings: Findings, *, grounds: Grounds
) -> None:
    chain_id = grounds.chain_id
    findings.settle("receipt", _identity_flaw(tx, receipt))
    place = _place_flaw(tx, receipt, "the transaction")
    findings.settle("receipt_block", place, node=None if _on_forks(tx, receipt, grounds) else "")
    findings.settle("logs", _logs_flaw(receipt))
    findings.settle("logs_bloom", _bloom_flaw(receipt))
    if tx.type_number is None:
        for name in ("contract_address", "gas", "gas_price"):
            findings.skip(name, "unknown_type", f"the rules of type {tx.type} are unknown")
        return
    findings.settle("contract_address", _contract_flaw(tx, receipt))
    flaw = _gas_flaw(tx, receipt) or blob_gas_flaw(tx, receipt, chain_id)
    if flaw is None or isinstance(flaw, Flaw):
        findings.settle("gas", flaw)
    else:
        findings.skip("gas", *flaw)
    if isinstance(receipt.effective_gas_price, str):
        findings.settle("gas_price", _gas_price_flaw(tx, receipt.effective_gas_price))


def first_flaw(tx: Transaction, receipt: Receipt) -> Flaw | None:
    """Of all that is examined above, for a transaction of a known type, but the gas of blobs."""
    return (
        _identity_flaw(tx, receipt)
        or _place_flaw(tx, receipt, "the transaction")
        or _logs_flaw(receipt)
        or _bloom_flaw(receipt)
        or _contract_flaw(tx, receipt)
        or _gas_flaw(tx, receipt)
    )


def _identity_flaw(tx: Transaction, receipt: Receipt) -> Flaw | None:
    if receipt.transaction_hash != tx.hash and _differ(receipt.transaction_hash, tx.hash):
        return _against("transactionHash", receipt.transaction_hash, tx.hash)
    if receipt.sender != tx.sender and _differ(receipt.sender, tx.sender):
        return _against("from", receipt.sender, tx.sender)
    if receipt.to != tx.to and _differ(receipt.to, tx.to):
        return _against("to", receipt.to, tx.to)
    # What a type that nobody here knows makes of a receipt's type is not known either.
    known = tx.type_number is not None and isinstance(receipt.type, str)
    if known and receipt.type != (tx.type or "0x0"):
        return _against("type", receipt.type, tx.type or "0x0")
    return None


def _place_flaw(tx: Any, other: Any, whose: str) -> Flaw | None:
    """Whether two objects name the same block and the same position in it."""
    if other.block_hash != tx.block_hash and _differ(other.block_hash, tx.block_hash):
        return _against("blockHash", other.block_hash, tx.block_hash, whose)
    if other.block_number != tx.block_number and _differ(other.block_number, tx.block_number):
        return _against("blockNumber", other.block_number, tx.block_number, whose)
    mine, its = tx.transaction_index, other.transaction_index
    if its != mine and _differ(its, mine):
        return _against("transactionIndex", its, mine, whose)
    return None


def _on_forks(tx: Transaction, receipt: Receipt, grounds: Grounds) -> bool:
    """Whether the two may be of two blocks that stood, or stand, at the end of the chain."""
    if not isinstance(tx.block_number, str) or not _differ(tx.block_hash, receipt.block_hash):
        return False
    return grounds.may_move(min(int(tx.block_number, 16), int(receipt.block_number, 16)))


def _contract_flaw(tx: Transaction, receipt: Receipt) -> Flaw | None:
    claimed = receipt.contract_address
    if isinstance(tx.to, str):
        if not claimed:
            return None
        text = f"contractAddress is {claimed} where nothing is created"
        return Flaw(text, "null", str(claimed))
    if not isinstance(tx.nonce, str):
        return None
    computed = created_address(tx.sender, tx.nonce)
    if not claimed:
        # Some nodes name no contract where its creation failed.
        text = f"contractAddress is absent, computed {computed}"
        return None if receipt.status == "0x0" else Flaw(text, computed, "null")
    return None if claimed.lower() == computed else mismatch(computed, claimed)


def _gas_flaw(tx: Transaction, receipt: Receipt) -> Flaw | None:
    used, total = int(receipt.gas_used, 16), int(receipt.cumulative_gas_used, 16)
    if isinstance(tx.gas, str) and used > int(tx.gas, 16):
        limit = int(tx.gas, 16)
        text = f"gasUsed is {used}, above the limit of {limit}"
        return Flaw(text, f"at most {limit}", str(used))
    if total < used:
        text = f"cumulativeGasUsed is {total}, below gasUsed of {used}"
        return Flaw(text, f"at least {used}", str(total))
    if receipt.transaction_index == "0x0" and total != used:
        text = f"cumulativeGasUsed of the first transaction is {total}, gasUsed {used}"
        return Flaw(text, str(used), str(total))
    return None


def blob_gas_flaw(
    tx: Transaction, receipt: Receipt, chain_id: int | None
) -> Flaw | tuple[str, str] | None:
    """Or a reason to skip with its sentence: other chains than Ethereum's count other things as
    the gas of blobs.
    """
    blobs = len(tx.blob_versioned_hashes or ()) if tx.type_number == _BLOB_TYPE else 0
    if isinstance(receipt.blob_gas_used, str):
        blob_gas = int(receipt.blob_gas_used, 16)
        if blob_gas != blobs * GAS_PER_BLOB:
            flaw = mismatch(blobs * GAS_PER_BLOB, blob_gas, "blobGasUsed")
            return flaw if are_known(chain_id) else ("unknown_rules", flaw.detail)
    return None


def _gas_price_flaw(tx: Transaction, effective: str) -> Flaw | None:
    # Some nodes leave a transaction's price at the most that it may be.
    is_paid = tx.gas_price != tx.max_fee_per_gas
    if isinstance(tx.gas_price, str) and is_paid and _differ(effective, tx.gas_price):
        return _against("effectiveGasPrice", effective, tx.gas_price)
    if isinstance(tx.max_fee_per_gas, str) and isinstance(tx.max_priority_fee_per_gas, str):
        price, ceiling = int(effective, 16), int(tx.max_fee_per_gas, 16)
        floor = min(ceiling, int(tx.max_priority_fee_per_gas, 16))
        if not floor <= price <= ceiling:
            text = f"effectiveGasPrice is {price}, allowed are {floor} to {ceiling}"
            return Flaw(text, f"{floor} to {ceiling}", str(price))
    return None


def _logs_flaw(receipt: Receipt) -> Flaw | None:
    logs = receipt.logs
    if not logs:
        return None
    if receipt.status == "0x0":
        return Flaw(f"{len(logs)} logs of a transaction that failed", "0", str(len(logs)))
    first = int(logs[0].log_index, 16)
    if first and receipt.transaction_index == "0x0":
        return Flaw(f"the block's first log has logIndex {first}", "0", str(first))
    for offset, log in enumerate(logs):
        flaw = _log_flaw(receipt, log, first + offset)
        if flaw:
            return flaw._replace(detail=f"log {offset}: {flaw.detail}")
    return None


def _log_flaw(receipt: Receipt, log: Log, index: int) -> Flaw | None:
    if int(log.log_index, 16) != index:
        text = f"logIndex is {log.log_index}, expected {hex(index)}"
        return Flaw(text, hex(index), log.log_index)
    if log.removed is True:
        return Flaw("it is marked as removed", "false", "true")
    mine, its = receipt.transaction_hash, log.transaction_hash
    if its != mine and _differ(its, mine):
        return _against("transactionHash", its, mine, "the receipt")
    return _place_flaw(receipt, log, "the receipt")


def bloom_of(receipt: Receipt) -> int:
    """The bits that its logs set."""
    bits = 0
    for log in receipt.logs:
        bits |= bloom_bits(log.address)
        for topic in log.topics:
            bits |= bloom_bits(topic)
    return bits


def bloom_difference(computed: int, claimed: int) -> Flaw | None:
    if claimed == computed:
        return None
    missing, surplus = (computed & ~claimed).bit_count(), (claimed & ~computed).bit_count()
    text = f"logsBloom lacks {missing} bits of the logs and has {surplus} of none"
    return Flaw(text, hex(computed), hex(claimed))


def _bloom_flaw(receipt: Receipt) -> Flaw | None:
    if not receipt.logs and receipt.logs_bloom == _EMPTY_BLOOM:
        return None
    return bloom_difference(bloom_of(receipt), int(receipt.logs_bloom, 16))


def _differ(one: Any, other: Any) -> bool:
    """Whether two fields differ in more than the case of their digits, or null against absent."""
    return (one or "").lower() != (other or "").lower()


def _against(name: str, claimed: Any, other: Any, whose: str = "the transaction") -> Flaw:
    claimed, other = claimed or "null", other or "null"
    return Flaw(f"{name} is {claimed}, that of {whose} {other}", other, claimed)
