"""What no root of a block holds of its receipts, derived from what the roots hold.

Gas used is a difference of running totals, the price paid follows from base fee and limits, the
positions of logs from the logs before them, and the price of blobs from the header's excess.
"""

from msgspec import UNSET

from validation.rpc.schema import Block, Loose, Receipt, Transaction
from validation.validators import block_rules
from validation.validators.block_evidence import BlockEvidence, Unserved
from validation.validators.findings import Findings, Flaw, mismatch


def examine(
    tx: Transaction,
    receipt: Receipt,
    index: int,
    evidence: BlockEvidence,
    findings: Findings,
    *,
    chain_id: int | None,
) -> None:
    gas = evidence.gas_before[index + 1] - evidence.gas_before[index]
    findings.match("gas_used", computed=gas, claimed=int(receipt.gas_used, 16))
    found = own_price_flaw(tx, evidence.block) or price_flaw(tx, receipt, evidence.block, chain_id)
    if isinstance(found, Unserved):
        findings.skip("gas_price_derived", *found)
    else:
        findings.settle("gas_price_derived", found)
    flaw = position_flaw(receipt, evidence.logs_before[index])
    if flaw is not None:
        findings.settle("log_positions", flaw)
        return
    # No root holds a time, and nodes have got them wrong: nobody is accused of one.
    flaw = own_time_flaw(tx, evidence.block) or time_flaw(receipt, evidence.block)
    findings.settle("log_positions", flaw, node=None)


def own_price_flaw(tx: Transaction, block: Block) -> Flaw | None:
    """Of the price that the transaction names for itself."""
    price, told = _price(tx, block), tx.gas_price
    # Before a block sets the price this is the most that may be paid; some nodes leave it at that.
    if isinstance(told, str) and int(told, 16) != price and told != tx.max_fee_per_gas:
        return mismatch(price, int(told, 16), "gasPrice")
    return None


def price_flaw(
    tx: Transaction, receipt: Receipt, block: Block, chain_id: int | None
) -> Flaw | Unserved | None:
    """Of the receipt's price of gas, and of that of blobs where one is named."""
    price = _price(tx, block)
    told = receipt.effective_gas_price
    if isinstance(told, str) and int(told, 16) != price:
        return mismatch(price, int(told, 16), "effectiveGasPrice")
    told = receipt.blob_gas_price
    return _blob_flaw(int(told, 16), block, chain_id) if isinstance(told, str) else None


def _price(tx: Transaction, block: Block) -> int:
    """Of a transaction whose shape its type has made sure of."""
    most, tip = tx.max_fee_per_gas, tx.max_priority_fee_per_gas
    if not isinstance(most, str) or not isinstance(tip, str):
        return int(str(tx.gas_price), 16)
    base = block.base_fee_per_gas
    base_fee = int(base, 16) if isinstance(base, str) else 0
    return min(base_fee + int(tip, 16), int(most, 16))


def _blob_flaw(claimed: int, block: Block, chain_id: int | None) -> Flaw | Unserved | None:
    excess, time = block.excess_blob_gas, int(block.timestamp, 16)
    if not isinstance(excess, str):
        text = "blobGasPrice is named, and the header has no excess that it follows from"
        return Unserved("unknown_rules", text)
    rules = block_rules.blob_rules(chain_id, time)
    prices = {block_rules.blob_price(each, int(excess, 16)) for each in rules}
    if claimed in prices:
        return None
    flaw = mismatch(_either(prices), claimed, "blobGasPrice")
    is_binding = block_rules.are_binding(chain_id, time)
    return flaw if is_binding else Unserved("unknown_rules", flaw.detail)


def position_flaw(receipt: Receipt, before: int) -> Flaw | None:
    """Level 2 has seen to it that the logs of one receipt follow each other."""
    if not receipt.logs:
        return None
    first = int(receipt.logs[0].log_index, 16)
    return None if first == before else mismatch(before, first, "logIndex of the first log")


def own_time_flaw(tx: Transaction, block: Block) -> Flaw | None:
    """Whether the transaction names the block's time, where it names any."""
    return _time_flaw({tx.block_timestamp}, block)


def time_flaw(receipt: Receipt, block: Block) -> Flaw | None:
    """The same of the receipt and its logs, which some nodes give a time of 0."""
    told = {log.block_timestamp for log in receipt.logs} - {0, "0x0"}
    return _time_flaw(told | {receipt.block_timestamp}, block)


def _time_flaw(told: set[Loose], block: Block) -> Flaw | None:
    told -= {UNSET, None, block.timestamp}
    if not told:
        return None
    true = int(block.timestamp, 16)
    wrong = next((time for time in told if _number(time) != true), None)
    return None if wrong is None else mismatch(true, wrong, "blockTimestamp")


def _number(time: Loose) -> int:
    return int(time, 16) if isinstance(time, str) else int(time or 0)


def _either(values: set[int | None]) -> str:
    return " or ".join(map(str, sorted(value for value in values if value is not None)))
