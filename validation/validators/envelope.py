"""EIP-2718 envelopes of types 0 to 4: what a transaction's hash and its signature cover."""

from typing import Any, NamedTuple, cast

from validation.rpc.schema import AccessEntry, Authorization, Transaction
from validation.validators import rlp
from validation.validators.crypto import keccak256, keccak_hex

_UNPROTECTED = {"0x1b": 0, "0x1c": 1}  # v of 27 and 28: no chain id is signed
_EIP155_OFFSET = 35
_PARITY = {"0x0": 0, "0x1": 1}


class Envelope(NamedTuple):
    hash: str
    digest: bytes
    """What was signed."""
    parity: int | None
    """None where v (or yParity) is no value that a signature can have."""
    chain_id: int | None
    """The chain id that the signature covers, None before EIP-155."""


def rebuild(tx: Transaction) -> Envelope:
    """Encode a well-formed transaction of a known type again and hash it."""
    number = tx.type_number
    if not number:
        return _rebuild_legacy(tx)
    # The shape of the type has made sure of every field read here.
    fields: Any = tx
    unsigned = _FIELDS[number](fields)
    prefix = f"0{number}"
    return Envelope(
        "0x" + keccak_hex(prefix + rlp.sequence(unsigned + _typed_signature(fields))),
        keccak256(bytes.fromhex(prefix + rlp.sequence(unsigned))),
        _typed_parity(fields),
        int(fields.chain_id, 16),
    )


def encode(tx: Transaction) -> bytes:
    """The envelope of a well-formed transaction of a known type, as its block's trie holds it."""
    number, fields = tx.type_number, cast("Any", tx)
    if not number:
        return bytes.fromhex(rlp.sequence(_legacy_fields(fields) + _legacy_signature(fields)))
    signed = _FIELDS[number](fields) + _typed_signature(fields)
    return bytes.fromhex(f"0{number}{rlp.sequence(signed)}")


def _rebuild_legacy(tx: Transaction) -> Envelope:
    fields: Any = tx
    quantity = rlp.quantity
    unsigned, signature = _legacy_fields(fields), _legacy_signature(fields)
    parity = _UNPROTECTED.get(fields.v)
    chain_id = None
    signing = unsigned
    if parity is None:
        v = int(fields.v, 16)
        if v >= _EIP155_OFFSET:
            chain_id, parity = divmod(v - _EIP155_OFFSET, 2)
            signing = unsigned + quantity(hex(chain_id)) + rlp.EMPTY + rlp.EMPTY
    return Envelope(
        "0x" + keccak_hex(rlp.sequence(unsigned + signature)),
        keccak256(bytes.fromhex(rlp.sequence(signing))),
        parity,
        chain_id,
    )


def _legacy_fields(tx: Any) -> str:
    quantity = rlp.quantity
    return (
        f"{quantity(tx.nonce)}{quantity(tx.gas_price)}{quantity(tx.gas)}"
        f"{rlp.address(tx.to)}{quantity(tx.value)}{rlp.data(tx.input)}"
    )


def _legacy_signature(tx: Any) -> str:
    return f"{rlp.quantity(tx.v)}{rlp.quantity(tx.r)}{rlp.quantity(tx.s)}"


def _typed_signature(tx: Any) -> str:
    # A parity that fits no signature is hashed all the same, and so differs from what is claimed.
    y_parity = tx.y_parity if isinstance(tx.y_parity, str) else tx.v
    return f"{rlp.quantity(y_parity)}{rlp.quantity(tx.r)}{rlp.quantity(tx.s)}"


def _typed_parity(fields: Any) -> int | None:
    """The one parity of `v` and `yParity`, whichever is given; None where they disagree."""
    given = {held for held in (fields.v, fields.y_parity) if isinstance(held, str)}
    return _PARITY.get(given.pop()) if len(given) == 1 else None


def _access_list_fields(tx: Any) -> str:
    quantity = rlp.quantity
    return (
        f"{quantity(tx.chain_id)}{quantity(tx.nonce)}{quantity(tx.gas_price)}{quantity(tx.gas)}"
        f"{_transfer(tx)}"
    )


def _fee_market_fields(tx: Any) -> str:
    quantity = rlp.quantity
    return (
        f"{quantity(tx.chain_id)}{quantity(tx.nonce)}{quantity(tx.max_priority_fee_per_gas)}"
        f"{quantity(tx.max_fee_per_gas)}{quantity(tx.gas)}{_transfer(tx)}"
    )


def _blob_fields(tx: Any) -> str:
    hashes = "".join(map(rlp.hash32, tx.blob_versioned_hashes))
    return _fee_market_fields(tx) + rlp.quantity(tx.max_fee_per_blob_gas) + rlp.sequence(hashes)


def _set_code_fields(tx: Any) -> str:
    authorizations = "".join(map(_authorization, tx.authorization_list))
    return _fee_market_fields(tx) + rlp.sequence(authorizations)


def _transfer(tx: Any) -> str:
    access = _access_list(tx.access_list) if tx.access_list else rlp.EMPTY_LIST
    return f"{rlp.address(tx.to)}{rlp.quantity(tx.value)}{rlp.data(tx.input)}{access}"


def _access_list(entries: tuple[AccessEntry, ...]) -> str:
    return rlp.sequence("".join(map(_access_entry, entries)))


def _access_entry(entry: AccessEntry) -> str:
    keys = "".join(map(rlp.hash32, entry.storage_keys))
    return rlp.sequence(rlp.address(entry.address) + rlp.sequence(keys))


def _authorization(given: Authorization) -> str:
    quantity = rlp.quantity
    return rlp.sequence(
        f"{quantity(given.chain_id)}{rlp.address(given.address)}{quantity(given.nonce)}"
        f"{quantity(given.y_parity)}{quantity(given.r)}{quantity(given.s)}"
    )


_FIELDS = {
    1: _access_list_fields,
    2: _fee_market_fields,
    3: _blob_fields,
    4: _set_code_fields,
}
