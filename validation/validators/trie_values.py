"""What the tries of a block hold: its transactions, receipts and withdrawals, encoded."""

from validation.rpc.schema import KNOWN_TYPES, Log, Receipt, Withdrawal
from validation.validators import rlp

_TYPE_NUMBERS = {hex(number): number for number in KNOWN_TYPES}


def receipt_type(receipt: Receipt) -> int | None:
    """None where it is unknown; nodes from before there were types name none: type 0."""
    return _TYPE_NUMBERS.get(receipt.type) if isinstance(receipt.type, str) else 0


def outcome_of(receipt: Receipt) -> str:
    """What the receipt commits to as its outcome: since Byzantium the status, before it a root."""
    if isinstance(receipt.root, str):
        return receipt.root
    return receipt.status if isinstance(receipt.status, str) else ""


def receipt_value(receipt: Receipt, number: int) -> bytes:
    """EIP-2718 envelope of a receipt of a known type."""
    root = receipt.root
    # The shape has made sure that one of the two is there.
    outcome = rlp.hash32(root) if isinstance(root, str) else rlp.quantity(str(receipt.status))
    logs = rlp.sequence("".join(map(_log, receipt.logs))) if receipt.logs else rlp.EMPTY_LIST
    encoded = rlp.sequence(
        f"{outcome}{rlp.quantity(receipt.cumulative_gas_used)}b90100{receipt.logs_bloom[2:]}{logs}"
    )
    return bytes.fromhex(f"0{number}{encoded}" if number else encoded)


def withdrawal_value(given: Withdrawal) -> bytes:
    return bytes.fromhex(
        rlp.sequence(
            f"{rlp.quantity(given.index)}{rlp.quantity(given.validator_index)}"
            f"{rlp.address(given.address)}{rlp.quantity(given.amount)}"
        )
    )


def _log(log: Log) -> str:
    topics = "".join([f"a0{topic[2:]}" for topic in log.topics])
    return rlp.sequence(f"94{log.address[2:]}{rlp.sequence(topics)}{rlp.data(log.data)}")
