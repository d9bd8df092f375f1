"""Every check: its name, the level it belongs to, what it states, and the reason when it fails."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CheckInfo:
    """`reason` and `failure` are empty where a failure is told by another reason code."""

    level: int
    states: str
    reason: str = ""
    failure: str = ""
    honest: bool = False
    """A node that tells the truth may fail it, so nobody is accused of a lie."""
    any_chain: bool = False
    """No chain's rules are needed to tell that who fails it lies."""

    def accuses(self, *, rules_known: bool) -> bool:
        """Whether a failure is a lie, where the chain's rules are known here or not."""
        return not self.honest and (self.any_chain or rules_known)


CHECKS: dict[str, CheckInfo] = {
    "answered": CheckInfo(0, "The node answered the question.", honest=True),
    "well_formed": CheckInfo(
        1, "Every field is there, of the right type, size and range.", honest=True
    ),
    "known_fields": CheckInfo(1, "Every field of the answer is known to this version."),
    "known_type": CheckInfo(1, "The transaction type is known to this version."),
    "mined": CheckInfo(1, "The transaction is in a block and has a receipt."),
    "asked": CheckInfo(
        1,
        "The answer is about the item that was asked for.",
        "other_item",
        "The node answered with another item than the one asked for.",
        any_chain=True,
    ),
    "checksum": CheckInfo(
        1,
        "The mixed case of the address is its EIP-55 checksum.",
        "bad_checksum",
        "The address is written in mixed case that is not its EIP-55 checksum.",
        honest=True,
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
        honest=True,
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
    "block_header": CheckInfo(
        3,
        "The header of its block hashes to the block's hash, and has its number.",
        "block_header_mismatch",
        "The node's header of the block does not hash to the block's hash.",
    ),
    "in_block": CheckInfo(
        3,
        "It stands at its position under the block's transactions root.",
        "not_in_block",
        "The block's transactions root does not hold the transaction at its position.",
    ),
    "receipt_in_block": CheckInfo(
        3,
        "The receipts of its block hash to the block's receipts root.",
        "receipts_root_mismatch",
        "The receipts that the node gives do not hash to the block's receipts root.",
    ),
    "receipt_same": CheckInfo(
        3,
        "The receipt is the one under the block's receipts root, field by field.",
        "receipt_not_in_block",
        "The receipt is not the one that the block's receipts root holds.",
    ),
    "gas_used": CheckInfo(
        3,
        "The gas used is the difference of the running totals that the block commits to.",
        "gas_used_mismatch",
        "The gas used is not the difference of the block's running totals.",
    ),
    "gas_price_derived": CheckInfo(
        3,
        "The prices paid follow from the block's fees and the transaction's limits.",
        "gas_price_mismatch",
        "The prices paid do not follow from the block's fees and the transaction's limits.",
    ),
    "log_positions": CheckInfo(
        3,
        "The positions of the logs follow from the logs before them in the block.",
        "log_positions_mismatch",
        "The positions of the logs do not follow from the logs before them in the block.",
    ),
    "transactions_root": CheckInfo(
        3,
        "The block's transactions hash to the transactions root in its header.",
        "transactions_root_mismatch",
        "The block's transactions do not hash to the transactions root in its header.",
    ),
    "receipts_root": CheckInfo(
        3,
        "The block's receipts hash to the receipts root in its header.",
        "receipts_root_mismatch",
        "The receipts that the node gives do not hash to the block's receipts root.",
    ),
    "receipts": CheckInfo(
        3,
        "What no root holds of the block's receipts and prices follows from what they hold.",
        "receipts_mismatch",
        "What the node says of the block's receipts or prices does not follow from the block.",
    ),
    "withdrawals_root": CheckInfo(
        3,
        "The block's withdrawals hash to the withdrawals root in its header.",
        "withdrawals_root_mismatch",
        "The block's withdrawals do not hash to the withdrawals root in its header.",
    ),
    "requests_hash": CheckInfo(
        3,
        "The requests that the block's receipts show hash to the requests hash in its header.",
        "requests_hash_mismatch",
        "The requests of the block do not hash to the requests hash in its header.",
    ),
    "block_bloom": CheckInfo(
        3,
        "The header's bloom filter is the one of all logs of the block.",
        "block_bloom_mismatch",
        "The header's bloom filter is not the one of the block's logs.",
    ),
    "uncles_hash": CheckInfo(
        3,
        "The block's uncles hash to the uncles hash in its header.",
        "uncles_hash_mismatch",
        "The block's uncles do not hash to the uncles hash in its header.",
    ),
    "block_gas": CheckInfo(
        3,
        "The header's gas used is the last running total of the receipts, and within its limit.",
        "block_gas_mismatch",
        "The header's gas used is not what the block's receipts add up to, or above its limit.",
    ),
    "base_fee": CheckInfo(
        3,
        "The base fee follows from the parent's gas and base fee.",
        "base_fee_mismatch",
        "The base fee does not follow from the parent's gas and base fee.",
    ),
    "blob_gas": CheckInfo(
        3,
        "The header's blob gas used is that of the block's blobs.",
        "blob_gas_mismatch",
        "The header's blob gas used is not that of the block's blobs.",
    ),
    "excess_blob_gas": CheckInfo(
        3,
        "The excess blob gas follows from the parent's.",
        "excess_blob_gas_mismatch",
        "The excess blob gas does not follow from the parent's.",
    ),
    "timestamp": CheckInfo(
        3,
        "The block is younger than its parent and not from the future.",
        "timestamp_impossible",
        "The block is not younger than its parent, or from the future.",
    ),
    "parent": CheckInfo(
        3,
        "The header of its parent hashes to the parent's hash, and is one below.",
        "parent_mismatch",
        "The block that the node gives as its parent cannot be it.",
    ),
    "account": CheckInfo(
        3,
        "A proof under the block's state root shows the account, or that there is none.",
        "account_not_proved",
        "The proof that the node gives does not show what it says of the account.",
    ),
    "balance": CheckInfo(
        3,
        "The balance is the one that is proved.",
        "balance_mismatch",
        "The balance is not the one that is proved.",
    ),
    "nonce": CheckInfo(
        3,
        "The nonce is the one that is proved.",
        "nonce_mismatch",
        "The nonce is not the one that is proved.",
    ),
    "code": CheckInfo(
        3,
        "The code hashes to the code hash that is proved.",
        "code_mismatch",
        "The code does not hash to the code hash that is proved.",
    ),
    "storage": CheckInfo(
        3,
        "Proofs under the account's storage root show each slot, or that it is empty.",
        "storage_not_proved",
        "The proof that the node gives does not show what it says of a storage slot.",
    ),
    "anchored": CheckInfo(
        4,
        "Headers link its block to the trusted checkpoint.",
        "not_anchored",
        "The chain that leads to the trusted checkpoint has another block there, or none.",
    ),
    "final": CheckInfo(
        5,
        "Its block is final, by the word of the node and of another.",
        "not_the_final_block",
        "The node has another block as final at its height.",
        honest=True,
    ),
}
