"""The shape of every object a node answers with: which fields, and which may be null or absent."""

from validation.rpc.shapes import (
    ADDRESS,
    BIT,
    BLOOM,
    BYTES_8,
    DATA,
    HASH,
    QUANTITY,
    QUANTITY_64,
    SLOT_KEY,
    Shape,
)

_MINED = {
    "block_hash": ("blockHash", HASH),
    "block_number": ("blockNumber", QUANTITY_64),
    "transaction_index": ("transactionIndex", QUANTITY_64),
}
_ANY_TYPE = {
    "hash": ("hash", HASH),
    "sender": ("from", ADDRESS),
    "nonce": ("nonce", QUANTITY_64),
    "gas": ("gas", QUANTITY_64),
    "value": ("value", QUANTITY),
    "input": ("input", DATA),
    "v": ("v", QUANTITY),
    "r": ("r", QUANTITY),
    "s": ("s", QUANTITY),
    **_MINED,
}
_TYPE_AND_TIME = {
    "type": ("type", QUANTITY_64),
    "block_timestamp": ("blockTimestamp", QUANTITY_64),
}
_TO = {"to": ("to", ADDRESS)}
_Y_PARITY = {"y_parity": ("yParity", BIT)}
_CHAIN = {"chain_id": ("chainId", QUANTITY)}
_GAS_PRICE = {"gas_price": ("gasPrice", QUANTITY)}
_FEES = {
    "max_fee_per_gas": ("maxFeePerGas", QUANTITY),
    "max_priority_fee_per_gas": ("maxPriorityFeePerGas", QUANTITY),
}
_BLOB_FEE = {"max_fee_per_blob_gas": ("maxFeePerBlobGas", QUANTITY)}
_OPTIONAL = _TYPE_AND_TIME | _Y_PARITY

TRANSACTION = {
    0: Shape(required=_ANY_TYPE | _GAS_PRICE, optional=_OPTIONAL | _TO | _CHAIN, nullable=_MINED),
    1: Shape(
        required=_ANY_TYPE | _GAS_PRICE | _CHAIN, optional=_OPTIONAL | _TO, nullable=[*_MINED, "v"]
    ),
    2: Shape(
        required=_ANY_TYPE | _CHAIN | _FEES,
        optional=_OPTIONAL | _TO | _GAS_PRICE,
        nullable=[*_MINED, "v"],
    ),
    3: Shape(
        required=_ANY_TYPE | _TO | _CHAIN | _FEES | _BLOB_FEE,
        optional=_OPTIONAL | _GAS_PRICE,
        nullable=[*_MINED, "v"],
    ),
    4: Shape(
        required=_ANY_TYPE | _TO | _CHAIN | _FEES,
        optional=_OPTIONAL | _GAS_PRICE,
        nullable=[*_MINED, "v"],
    ),
}
UNKNOWN_TYPE = Shape(
    required={"hash": ("hash", HASH), "sender": ("from", ADDRESS)},
    optional=_TYPE_AND_TIME | _TO | _MINED,
)
AUTHORIZATION = Shape(
    required={
        "chain_id": ("authorizationList chainId", QUANTITY),
        "address": ("authorizationList address", ADDRESS),
        "nonce": ("authorizationList nonce", QUANTITY_64),
        "y_parity": ("authorizationList yParity", QUANTITY_64),
        "r": ("authorizationList r", QUANTITY),
        "s": ("authorizationList s", QUANTITY),
    }
)
RECEIPT = Shape(
    required={
        "transaction_hash": ("transactionHash", HASH),
        "sender": ("from", ADDRESS),
        "cumulative_gas_used": ("cumulativeGasUsed", QUANTITY_64),
        "gas_used": ("gasUsed", QUANTITY_64),
        "logs_bloom": ("logsBloom", BLOOM),
        **_MINED,
    },
    optional={
        "contract_address": ("contractAddress", ADDRESS),
        "status": ("status", BIT),
        "root": ("root", HASH),
        "effective_gas_price": ("effectiveGasPrice", QUANTITY),
        "blob_gas_used": ("blobGasUsed", QUANTITY_64),
        "blob_gas_price": ("blobGasPrice", QUANTITY),
        **_TYPE_AND_TIME,
        **_TO,
    },
)
LOG = Shape(
    required={
        "address": ("log address", ADDRESS),
        "data": ("log data", DATA),
        "log_index": ("logIndex", QUANTITY_64),
    },
    optional={"block_timestamp": ("log blockTimestamp", QUANTITY_64)},
)
LOG_PLACE = Shape(required={"transaction_hash": ("log transactionHash", HASH), **_MINED})
HEADER = Shape(
    required={
        "hash": ("hash", HASH),
        "number": ("number", QUANTITY_64),
        "parent_hash": ("parentHash", HASH),
        "sha3_uncles": ("sha3Uncles", HASH),
        "miner": ("miner", ADDRESS),
        "state_root": ("stateRoot", HASH),
        "transactions_root": ("transactionsRoot", HASH),
        "receipts_root": ("receiptsRoot", HASH),
        "logs_bloom": ("logsBloom", BLOOM),
        "difficulty": ("difficulty", QUANTITY),
        "gas_limit": ("gasLimit", QUANTITY_64),
        "gas_used": ("gasUsed", QUANTITY_64),
        "timestamp": ("timestamp", QUANTITY_64),
        "extra_data": ("extraData", DATA),
        "mix_hash": ("mixHash", HASH),
        "nonce": ("nonce", BYTES_8),
    },
    optional={
        "base_fee_per_gas": ("baseFeePerGas", QUANTITY),
        "withdrawals_root": ("withdrawalsRoot", HASH),
        "blob_gas_used": ("blobGasUsed", QUANTITY_64),
        "excess_blob_gas": ("excessBlobGas", QUANTITY_64),
        "parent_beacon_block_root": ("parentBeaconBlockRoot", HASH),
        "requests_hash": ("requestsHash", HASH),
        "size": ("size", QUANTITY_64),
        "total_difficulty": ("totalDifficulty", QUANTITY),
    },
)
WITHDRAWAL = Shape(
    required={
        "index": ("withdrawals index", QUANTITY_64),
        "validator_index": ("withdrawals validatorIndex", QUANTITY_64),
        "address": ("withdrawals address", ADDRESS),
        "amount": ("withdrawals amount", QUANTITY),
    }
)
PROOF = Shape(
    required={
        "address": ("address", ADDRESS),
        "balance": ("balance", QUANTITY),
        "nonce": ("nonce", QUANTITY_64),
        "code_hash": ("codeHash", HASH),
        "storage_hash": ("storageHash", HASH),
    }
)
SLOT = Shape(required={"key": ("key", SLOT_KEY), "value": ("value", QUANTITY)})

_ACCESS = {"access_list": "accessList"}
_BLOBS = {
    "max_fee_per_blob_gas": "maxFeePerBlobGas",
    "blob_versioned_hashes": "blobVersionedHashes",
}
_AUTHORIZATIONS = {"authorization_list": "authorizationList"}
_DYNAMIC = {attribute: name for attribute, (name, _) in _FEES.items()}

FOREIGN: dict[int, dict[str, str]] = {
    0: _DYNAMIC | _ACCESS | _BLOBS | _AUTHORIZATIONS | {"y_parity": "yParity"},
    1: _DYNAMIC | _BLOBS | _AUTHORIZATIONS,
    2: _BLOBS | _AUTHORIZATIONS,
    3: _AUTHORIZATIONS,
    4: _BLOBS,
}
"""By type, the fields of other types: its hash covers none of them, so they must be empty."""
