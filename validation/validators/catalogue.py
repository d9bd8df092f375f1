"""Every check: its name, the level it belongs to, what it states, and the reason when it fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """`reason` and `failure` are empty where a failure is told by another reason code."""

    level: int
    states: str
    reason: str = ""
    failure: str = ""


CHECKS: dict[str, CheckInfo] = {
    "answered": CheckInfo(0, "The node answered the question."),
    "well_formed": CheckInfo(1, "Every field is there, of the right type, size and range."),
    "known_fields": CheckInfo(1, "Every field of the answer is known to this version."),
    "known_type": CheckInfo(1, "The transaction type is known to this version."),
    "mined": CheckInfo(1, "The transaction is in a block and has a receipt."),
    "asked": CheckInfo(
        1,
        "The answer is about the item that was asked for.",
        "other_item",
        "The node answered with another item than the one asked for.",
    ),
    "checksum": CheckInfo(
        1,
        "The mixed case of the address is its EIP-55 checksum.",
        "bad_checksum",
        "The address is written in mixed case that is not its EIP-55 checksum.",
    ),
    "hash": CheckInfo(
        2,
        "The transaction's envelope, rebuilt, hashes to its hash.",
        "hash_mismatch",
        "The transaction's content does not hash to its hash.",
    ),
    "signature": CheckInfo(
        2,
        "The signature is well-formed, with s in the lower half, and a key fits it.",
        "bad_signature",
        "The transaction's signature is not one that the chain would accept.",
    ),
    "sender": CheckInfo(
        2,
        "The sender recovered from the signature is the one named.",
        "sender_mismatch",
        "The transaction was signed by another account than the sender named.",
    ),
    "chain_id": CheckInfo(
        2,
        "The chain ids named, signed and configured agree.",
        "chain_id_mismatch",
        "The chain ids named, signed and configured do not agree.",
    ),
    "receipt": CheckInfo(
        2,
        "The receipt names the transaction's hash, sender, receiver and type.",
        "receipt_mismatch",
        "The receipt is of another transaction.",
    ),
    "receipt_block": CheckInfo(
        2,
        "Transaction and receipt name the same block and position.",
        "receipt_block_mismatch",
        "Transaction and receipt name different blocks or positions.",
    ),
    "contract_address": CheckInfo(
        2,
        "The contract address is the one derived for a creation, and absent otherwise.",
        "contract_address_mismatch",
        "The receipt names a contract that this transaction could not create.",
    ),
    "gas": CheckInfo(
        2,
        "Gas used is within the limit and within the block's running total.",
        "gas_impossible",
        "The receipt names an impossible use of gas.",
    ),
    "gas_price": CheckInfo(
        2,
        "The effective gas price is one that the transaction allows.",
        "gas_price_impossible",
        "The receipt names a gas price that the transaction does not allow.",
    ),
    "logs": CheckInfo(
        2,
        "Every log names this transaction and block, at consecutive positions.",
        "logs_misplaced",
        "The receipt's logs name another transaction, block or position.",
    ),
    "logs_bloom": CheckInfo(
        2,
        "The bloom filter is the one of the logs.",
        "logs_bloom_mismatch",
        "The receipt's bloom filter is not the one of its logs.",
    ),
    "header_hash": CheckInfo(
        2,
        "The block's header, encoded, hashes to its hash.",
        "header_hash_mismatch",
        "The block's header does not hash to its hash.",
    ),
    "transactions": CheckInfo(
        2,
        "Every transaction of the block hashes to its hash.",
        "transactions_mismatch",
        "A transaction of the block does not hash to its hash.",
    ),
    "positions": CheckInfo(
        2,
        "Every transaction names this block and its position in it.",
        "positions_mismatch",
        "A transaction of the block names another block or position.",
    ),
    "senders": CheckInfo(
        2,
        "Every transaction of the block was signed by the sender it names.",
        "senders_mismatch",
        "A transaction of the block was not signed by the sender it names.",
    ),
}
