"""Rebuilds from JSON answers what consensus hashes: headers, transactions, receipts, accounts."""

from collections.abc import Mapping, Sequence
from typing import Any

from coincurve import PrivateKey, PublicKey
from tiny_keccak import keccak256

from validation.devnode import rlp
from validation.devnode.trie import Trie

type Document = Mapping[str, Any]

# Header fields in the order that they are hashed; those of later forks follow where they exist.
_HEADER = (
    ("parentHash", bytes), ("sha3Uncles", bytes), ("miner", bytes), ("stateRoot", bytes),
    ("transactionsRoot", bytes), ("receiptsRoot", bytes), ("logsBloom", bytes),
    ("difficulty", int), ("number", int), ("gasLimit", int), ("gasUsed", int),
    ("timestamp", int), ("extraData", bytes), ("mixHash", bytes), ("nonce", bytes),
    ("baseFeePerGas", int), ("withdrawalsRoot", bytes), ("blobGasUsed", int),
    ("excessBlobGas", int), ("parentBeaconBlockRoot", bytes), ("requestsHash", bytes),
)  # fmt: skip

BLOOM_BYTES = 256


def raw(text: str | None) -> bytes:
    return bytes.fromhex(text[2:]) if text else b""


def number(text: str) -> int:
    return int(text, 16)


def header_fields(block: Document) -> list[object]:
    return [
        (raw if kind is bytes else number)(block[name]) for name, kind in _HEADER if name in block
    ]


def header_hash(block: Document) -> bytes:
    return keccak256(rlp.encode(header_fields(block)))


def _access_list(tx: Document) -> list[object]:
    return [
        [raw(entry["address"]), [raw(key) for key in entry["storageKeys"]]]
        for entry in tx["accessList"]
    ]


def _authorizations(tx: Document) -> list[object]:
    return [
        [number(a["chainId"]), raw(a["address"])]
        + [number(a[name]) for name in ("nonce", "yParity", "r", "s")]
        for a in tx["authorizationList"]
    ]


def _body(tx: Document) -> list[object]:
    """The fields that a typed transaction's signature covers, in order."""
    kind = number(tx["type"])
    prices = ("gasPrice",) if kind == 1 else ("maxPriorityFeePerGas", "maxFeePerGas")
    fields: list[object] = [number(tx[name]) for name in ("chainId", "nonce", *prices, "gas")]
    fields += [raw(tx["to"]), number(tx["value"]), raw(tx["input"]), _access_list(tx)]
    if kind == 3:  # noqa: PLR2004 - the number EIP-4844 gave it
        hashes = [raw(h) for h in tx["blobVersionedHashes"]]
        fields += [number(tx["maxFeePerBlobGas"]), hashes]
    if kind == 4:  # noqa: PLR2004 - the number EIP-7702 gave it
        fields.append(_authorizations(tx))
    return fields


def _legacy_body(tx: Document) -> list[object]:
    fields: list[object] = [number(tx[name]) for name in ("nonce", "gasPrice", "gas")]
    return [*fields, raw(tx["to"]), number(tx["value"]), raw(tx["input"])]


def _signed_fields(tx: Document) -> list[object]:
    signature = [number(tx["r"]), number(tx["s"])]
    if number(tx["type"]) == 0:
        return [*_legacy_body(tx), number(tx["v"]), *signature]
    return [*_body(tx), number(tx["yParity"]), *signature]


def envelope(tx: Document) -> bytes:
    """The EIP-2718 bytes whose hash is the transaction's."""
    kind = number(tx["type"])
    return (bytes([kind]) if kind else b"") + rlp.encode(_signed_fields(tx))


def signed_part(tx: Document) -> bytes:
    """What the signature of a transaction covers, before it is hashed."""
    kind, v = number(tx["type"]), number(tx["v"])
    if kind:
        return bytes([kind]) + rlp.encode(_body(tx))
    if v in (27, 28):  # before EIP-155: no chain id in the signature
        return rlp.encode(_legacy_body(tx))
    return rlp.encode([*_legacy_body(tx), (v - 35) // 2, 0, 0])


def _parity(tx: Document) -> int:
    if number(tx["type"]):
        return number(tx["yParity"])
    v = number(tx["v"])
    return v - 27 if v in (27, 28) else (v - 35) % 2


def address_of(key: PublicKey) -> str:
    return "0x" + keccak256(key.format(compressed=False)[1:])[12:].hex()


def sender(tx: Document) -> str:
    """The address that the signature recovers to, in lower case."""
    words = number(tx["r"]).to_bytes(32) + number(tx["s"]).to_bytes(32)
    signature = words + bytes([_parity(tx)])
    digest = keccak256(signed_part(tx))
    return address_of(PublicKey.from_signature_and_message(signature, digest, hasher=None))


def sign(tx: dict[str, Any], key: PrivateKey) -> None:
    """Signs with `key` what the transaction says now, and names its hash and sender anew."""
    signature = key.sign_recoverable(keccak256(signed_part(tx)), hasher=None)
    parity = signature[64]
    if number(tx["type"]):
        tx["v"] = tx["yParity"] = hex(parity)
    else:
        v = number(tx["v"])
        tx["v"] = hex(27 + parity if v in (27, 28) else v - (v - 35) % 2 + parity)
    tx["r"], tx["s"] = (hex(int.from_bytes(signature[i : i + 32])) for i in (0, 32))
    tx["hash"], tx["from"] = "0x" + keccak256(envelope(tx)).hex(), address_of(key.public_key)


def bloom(logs: Sequence[Document]) -> bytes:
    bits = 0
    for log in logs:
        for entry in (log["address"], *log["topics"]):
            digest = keccak256(raw(entry))
            for i in (0, 2, 4):
                bits |= 1 << (int.from_bytes(digest[i : i + 2]) & 2047)
    return bits.to_bytes(BLOOM_BYTES)


def receipt_bytes(receipt: Document) -> bytes:
    kind = number(receipt["type"])
    logs = [
        [raw(log["address"]), [raw(t) for t in log["topics"]], raw(log["data"])]
        for log in receipt["logs"]
    ]
    fields = [number(receipt["status"]), number(receipt["cumulativeGasUsed"])]
    encoded = rlp.encode([*fields, raw(receipt["logsBloom"]), logs])
    return bytes([kind]) + encoded if kind else encoded


def list_root(values: Sequence[bytes]) -> bytes:
    """The root of a trie keyed by position: transactions, receipts."""
    return Trie((rlp.encode(i), value) for i, value in enumerate(values)).root


def withdrawal_bytes(withdrawal: Document) -> bytes:
    place = [number(withdrawal[name]) for name in ("index", "validatorIndex")]
    return rlp.encode([*place, raw(withdrawal["address"]), number(withdrawal["amount"])])


def block_size(block: Document) -> int:
    """Bytes of the whole block as peers would send it."""
    body: list[object] = [
        envelope(tx) if number(tx["type"]) else _signed_fields(tx) for tx in block["transactions"]
    ]
    return len(rlp.encode([header_fields(block), body, [], []]))


def storage_trie(storage: Mapping[str, str]) -> Trie:
    """`storage` maps 32-byte slots to values, in hex; a slot that holds zero is not in the trie."""
    return Trie(
        (keccak256(raw(slot)), rlp.encode(number(value)))
        for slot, value in storage.items()
        if number(value)
    )


def account_bytes(account: Document) -> bytes:
    fields = [number(account["nonce"]), number(account["balance"])]
    root = storage_trie(account["storage"]).root
    return rlp.encode([*fields, root, keccak256(raw(account["code"]))])


def state_trie(accounts: Mapping[str, Document]) -> Trie:
    return Trie((keccak256(raw(a)), account_bytes(account)) for a, account in accounts.items())
