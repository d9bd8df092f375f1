"""The Ethereum execution specs behind typed functions: what each says of an encoded object.

They run as they are published, of the newest fork they hold; ours is nowhere in it.
"""

import importlib
import sys
from collections.abc import Sequence
from functools import cache
from typing import Any

from tests.oracles.packages import specs_folder

_FORK = "ethereum.forks.osaka"


@cache
def _module(name: str) -> Any:
    folder = str(specs_folder())
    if folder not in sys.path:
        sys.path.append(folder)  # last: what the environment locks comes first
    limit = sys.getrecursionlimit()
    try:
        return importlib.import_module(name)
    finally:
        sys.setrecursionlimit(limit)  # their interpreter raises it for everybody


def of(fork: str, name: str) -> Any:
    """A module of another fork, for what changed since."""
    return _module(f"ethereum.forks.{fork}.{name}")


def _bytes(held: str) -> bytes:
    return bytes.fromhex(held[2:])


def decoded(raw: bytes) -> Any:
    """A transaction of any type from its canonical bytes."""
    given: Any = raw
    module = _module(f"{_FORK}.transactions")
    if raw[0] >= 0xC0:
        return _module("ethereum_rlp").rlp.decode_to(module.LegacyTransaction, raw)
    return module.decode_transaction(given)


def transaction_hash(raw: bytes) -> str:
    module = _module(f"{_FORK}.transactions")
    given = decoded(raw) if raw[0] >= 0xC0 else raw
    return "0x" + bytes(module.get_transaction_hash(given)).hex()


def sender(raw: bytes, chain_id: int) -> str:
    u64 = _module("ethereum_types.numeric").U64
    module = _module(f"{_FORK}.transactions")
    return "0x" + bytes(module.recover_sender(u64(chain_id), decoded(raw))).hex()


def ordered_root(values: Sequence[bytes]) -> str:
    """Of encoded values under `rlp(index)`."""
    module, encoder = _module(f"{_FORK}.trie"), _module("ethereum_rlp").rlp
    uint = _module("ethereum_types.numeric").Uint
    return root({encoder.encode(uint(i)): v for i, v in enumerate(values)}, module)


def root(items: dict[bytes, bytes], module: Any = None, *, secured: bool = False) -> str:
    module = module or _module(f"{_FORK}.trie")
    trie = module.Trie(secured=secured, default=b"")
    for key, value in items.items():
        module.trie_set(trie, key, value)
    return "0x" + bytes(module.root(trie)).hex()


def header_hash(header: dict[str, str]) -> str:
    """Of a JSON-RPC header of the newest fork."""
    module = _module(f"{_FORK}.blocks")
    encoded = _module("ethereum_rlp").rlp.encode(module.Header(**_header_fields(header)))
    return "0x" + bytes(_module("ethereum.crypto.hash").keccak256(encoded)).hex()


# Name in the specs, in JSON-RPC, and the type that says how it is encoded.
_HEADER = [
    ("parent_hash", "parentHash", "Bytes32"),
    ("ommers_hash", "sha3Uncles", "Bytes32"),
    ("coinbase", "miner", "Bytes20"),
    ("state_root", "stateRoot", "Bytes32"),
    ("transactions_root", "transactionsRoot", "Bytes32"),
    ("receipt_root", "receiptsRoot", "Bytes32"),
    ("bloom", "logsBloom", "Bytes256"),
    ("difficulty", "difficulty", "Uint"),
    ("number", "number", "Uint"),
    ("gas_limit", "gasLimit", "Uint"),
    ("gas_used", "gasUsed", "Uint"),
    ("timestamp", "timestamp", "U256"),
    ("extra_data", "extraData", "Bytes"),
    ("prev_randao", "mixHash", "Bytes32"),
    ("nonce", "nonce", "Bytes8"),
    ("base_fee_per_gas", "baseFeePerGas", "Uint"),
    ("withdrawals_root", "withdrawalsRoot", "Bytes32"),
    ("blob_gas_used", "blobGasUsed", "U64"),
    ("excess_blob_gas", "excessBlobGas", "U64"),
    ("parent_beacon_block_root", "parentBeaconBlockRoot", "Bytes32"),
    ("requests_hash", "requestsHash", "Bytes32"),
]


def _header_fields(header: dict[str, str]) -> dict[str, Any]:
    return {name: _typed(kind, header[rpc]) for name, rpc, kind in _HEADER if rpc in header}


def _typed(kind: str, held: str) -> Any:
    if kind.startswith("Bytes"):
        return getattr(_module("ethereum_types.bytes"), kind)(_bytes(held))
    return getattr(_module("ethereum_types.numeric"), kind)(int(held, 16))


def old_header_hash(header: dict[str, str], fork: str) -> str:
    """Of a header of a fork before London, which lacks what came later."""
    encoded = _module("ethereum_rlp").rlp.encode(_header(header, fork))
    return "0x" + bytes(_module("ethereum.crypto.hash").keccak256(encoded)).hex()


def _header(header: dict[str, str], fork: str) -> Any:
    """With the fields that headers of the fork have; one of them had another name once."""
    made = of(fork, "blocks").Header
    names = set(made.__dataclass_fields__)
    given = _header_fields(header)
    given["mix_digest"] = given["prev_randao"]
    return made(**{name: held for name, held in given.items() if name in names})


def receipt_value(receipt: dict[str, Any]) -> bytes:
    """What the receipts trie holds for a JSON-RPC receipt; the bloom is computed from the logs."""
    blocks, numbers = _module(f"{_FORK}.blocks"), _module("ethereum_types.numeric")
    given = blocks.Receipt(
        succeeded=receipt["status"] == "0x1",
        cumulative_gas_used=numbers.Uint(int(receipt["cumulativeGasUsed"], 16)),
        bloom=bytes_of_bloom(receipt["logs"]),
        logs=tuple(map(_log, receipt["logs"])),
    )
    number = int(receipt["type"], 16)
    encoded = bytes(_module("ethereum_rlp").rlp.encode(given))
    return bytes([number]) + encoded if number else encoded


def _log(log: dict[str, Any]) -> Any:
    return _module(f"{_FORK}.blocks").Log(
        address=_typed("Bytes20", log["address"]),
        topics=tuple(_typed("Bytes32", topic) for topic in log["topics"]),
        data=_typed("Bytes", log["data"]),
    )


def bytes_of_bloom(logs: Sequence[dict[str, Any]]) -> Any:
    return _module(f"{_FORK}.bloom").logs_bloom(tuple(map(_log, logs)))


def base_fee(header: dict[str, str], parent: dict[str, str]) -> int:
    """What a block's base fee must be after its parent; raises where its gas limit may not be."""
    uint = _module("ethereum_types.numeric").Uint
    given = (header["gasLimit"], parent["gasLimit"], parent["gasUsed"], parent["baseFeePerGas"])
    module = _module(f"{_FORK}.fork")
    return int(module.calculate_base_fee_per_gas(*(uint(int(held, 16)) for held in given)))


def excess_blob_gas(parent: dict[str, str], fork: str) -> int:
    return int(of(fork, "vm.gas").calculate_excess_blob_gas(_header(parent, fork)))


def account_value(nonce: int, balance: int, code: bytes, storage_root: bytes) -> bytes:
    types = _module(f"{_FORK}.fork_types")
    numbers = _module("ethereum_types.numeric")
    account = types.Account(nonce=numbers.Uint(nonce), balance=numbers.U256(balance), code=code)
    return bytes(types.encode_account(account, storage_root))


def withdrawal_value(index: int, validator: int, address: bytes, amount: int) -> bytes:
    numbers = _module("ethereum_types.numeric")
    withdrawal = _module(f"{_FORK}.blocks").Withdrawal(
        index=numbers.U64(index),
        validator_index=numbers.U64(validator),
        address=_module("ethereum_types.bytes").Bytes20(address),
        amount=numbers.U256(amount),
    )
    return rlp_encode(withdrawal)


def rlp_encode(item: Any) -> bytes:
    return bytes(_module("ethereum_rlp").rlp.encode(item))


def rlp_decode(data: bytes) -> Any:
    """None where the specs refuse it."""
    module = _module("ethereum_rlp")
    try:
        return _plain(module.rlp.decode(data))
    except module.exceptions.DecodingError:
        return None


def _plain(item: Any) -> Any:
    return bytes(item) if isinstance(item, bytes) else [_plain(inner) for inner in item]


def starts(fork: str) -> int:
    """Epoch seconds of mainnet's first block of a fork."""
    return int(_module(f"ethereum.forks.{fork}").FORK_CRITERIA.timestamp)


def most_blob_gas(fork: str) -> int:
    return int(of(fork, "fork").MAX_BLOB_GAS_PER_BLOCK)


def blob_price(excess: int, fork: str) -> int:
    u64 = _module("ethereum_types.numeric").U64
    return int(of(fork, "vm.gas").calculate_blob_gas_price(u64(excess)))


def deposit(data: bytes) -> bytes:
    """The request that a log of the deposit contract makes; raises where it is malformed."""
    return bytes(_module(f"{_FORK}.requests").extract_deposit_data(data))


def requests_hash(deposits: bytes) -> str:
    """Of a block that requests nothing but these deposits, joined."""
    given = [b"\x00" + deposits] if deposits else []
    return "0x" + bytes(_module(f"{_FORK}.requests").compute_requests_hash(given)).hex()
