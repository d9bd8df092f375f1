"""Decoders of JSON-RPC answers: raw JSON of one `result` in, a typed and well-formed value out.

A decoder returns an `Answer`, None for `null`, or an `Unreadable` that names the field and what it
held. It never raises: what a node wrote about one item is evidence about that answer, and no
failure of the call.
"""

import re
from collections.abc import Callable, Iterator
from itertools import islice
from operator import attrgetter
from typing import Any

import msgspec
from msgspec import UNSET

from validation.rpc import fields
from validation.rpc.flaws import (
    block_flaw,
    header_flaw,
    lean_block_flaw,
    proof_flaw,
    receipt_flaw,
    receipts_flaw,
    transaction_flaw,
)
from validation.rpc.schema import (
    AccessEntry,
    Authorization,
    Block,
    Header,
    LeanBlock,
    Log,
    Proof,
    Receipt,
    SlotProof,
    Transaction,
    Withdrawal,
)
from validation.rpc.shapes import DATA, QUANTITY, QUANTITY_64, shown, wrong
from validation.rpc.strict import Refused, check_exactly

MAX_BYTES = 64 << 20
MAX_PROOF_BYTES = 4 << 20
"""More is not looked into."""

_UNKNOWN_SHOWN = 8
_NAME_SHOWN = 40


class Answer(msgspec.Struct, frozen=True):
    """A well-formed answer, with the names of its fields that nobody here knows."""

    value: Any
    unknown: tuple[str, ...] = ()


class Unreadable(msgspec.Struct, frozen=True):
    """An answer that is not what its method returns; `detail` names the field and what it held."""

    detail: str


type Read = Answer | Unreadable | None

_NESTED: dict[type, dict[str, type]] = {
    Transaction: {"accessList": AccessEntry, "authorizationList": Authorization},
    Receipt: {"logs": Log},
    Block: {"transactions": Transaction, "withdrawals": Withdrawal},
    LeanBlock: {"withdrawals": Withdrawal},
    Proof: {"storageProof": SlotProof},
}
_FOREIGN_GETTERS = {
    # The first name twice, since of a single name attrgetter gives no tuple.
    number: attrgetter(next(iter(names)), *names)
    for number, names in fields.FOREIGN.items()
}
_place = re.compile(r" - at `\$\.?([^`]*)`$").search


def _keys(node: msgspec.Struct) -> int:
    return len(node.__struct_fields__) - msgspec.structs.astuple(node).count(UNSET)


def _transaction_keys(tx: Transaction) -> int:
    entries, authorizations = tx.access_list or (), tx.authorization_list or ()
    return _keys(tx) + 2 * len(entries) + 6 * len(authorizations)


def _receipt_keys(receipt: Receipt) -> int:
    return _keys(receipt) + sum(map(_keys, receipt.logs))


def _block_keys(block: Block) -> int:
    return _lean_block_keys(block) + sum(map(_transaction_keys, block.transactions))


def _lean_block_keys(block: Header) -> int:
    return _keys(block) + 4 * len(block.withdrawals or ())


def _foreign(tx: Transaction) -> tuple[str, ...]:
    """Fields that a transaction of this type does not have and that its hash does not cover."""
    number = tx.type_number
    if number is None:
        return ()
    if not any(_FOREIGN_GETTERS[number](tx)):
        return ()
    return tuple(
        f"{name} (of a type {number} transaction)"
        for attribute, name in fields.FOREIGN[number].items()
        if getattr(tx, attribute)
    )


def _foreign_in_block(block: Block) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for tx in block.transactions for name in _foreign(tx)))


def _receipts_keys(receipts: tuple[Receipt, ...]) -> int:
    return sum(map(_receipt_keys, receipts))


def _proof_keys(proof: Proof) -> int:
    return _keys(proof) + 3 * len(proof.storage_proof)


def _header_of(block: LeanBlock) -> Header:
    """Without the hashes of its transactions, which weigh ten times as much."""
    return Header(*msgspec.structs.astuple(block)[: len(Header.__struct_fields__)])


def _none(_: object) -> tuple[str, ...]:
    return ()


def _reader[T](
    kind: type[msgspec.Struct],
    flaw_of: Callable[[T], str],
    keys_of: Callable[[T], int],
    foreign_of: Callable[[T], tuple[str, ...]] = _none,
    *,
    is_list: bool = False,
    keep: Callable[[T], Any] | None = None,
    most_bytes: int = MAX_BYTES,
) -> Callable[[bytes], Read]:
    """Of an object, or a list of them. `keep` makes what is kept of it."""
    decode: Callable[[bytes], Any] = (
        msgspec.json.Decoder(tuple[kind, ...] | None).decode  # type: ignore[valid-type]
        if is_list
        else msgspec.json.Decoder(kind | None).decode
    )

    def read(raw: bytes) -> Read:
        if len(raw) > most_bytes:
            return Unreadable(f"{len(raw)} bytes, more than the {most_bytes} that are looked into")
        try:
            value = decode(raw)
        except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
            return Unreadable(_explained(raw, error))
        if value is None:
            return None
        flaw = flaw_of(value)
        if flaw:
            return Unreadable(flaw)
        unknown = foreign_of(value)
        # Well-formed values hold no colon, so each stands for one key: where as many keys were
        # decoded as there are colons, none was given twice and none is unknown.
        if raw.count(b":") != keys_of(value):
            try:
                check_exactly(raw)
            except Refused as error:
                return Unreadable(str(error))
            unknown += _unknown(raw, kind)
        return Answer(value if keep is None else keep(value), unknown)

    return read


def _unknown(raw: bytes, kind: type) -> tuple[str, ...]:
    tree = msgspec.json.decode(raw)
    trees = tree if type(tree) is list else [tree]
    names = dict.fromkeys(name for one in trees for name in _unknown_names(one, kind))
    return tuple(name[:_NAME_SHOWN] for name in islice(names, _UNKNOWN_SHOWN))


def _unknown_names(tree: dict[str, Any], kind: Any) -> Iterator[str]:
    nested = _NESTED.get(kind, {})
    for name, held in tree.items():
        if name not in kind.__struct_encode_fields__:
            yield name
        elif name in nested and held:
            for item in held:
                for inner in _unknown_names(item, nested[name]):
                    yield f"{name}.{inner}"


def _explained(raw: bytes, error: Exception) -> str:
    """The decoder's complaint, with the field it is about and what that held."""
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if not isinstance(error, msgspec.ValidationError):
        return f"not JSON: {error}"
    text = str(error)
    place = _place(text)
    if place is None:
        return text
    complaint, path = text[: place.start()], place[1]
    try:
        held = msgspec.json.decode(raw)
        for name in path.split(".") if path else ():
            held = held[name]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, LookupError, TypeError):
        return f"{path}: {complaint}"  # inside a list, whose index the decoder does not tell
    return f"{path} is {shown(held)}: {complaint}"


def _text_reader(pattern: str) -> Callable[[bytes], str | Unreadable]:
    decode = msgspec.json.Decoder(str).decode
    match = re.compile(pattern).fullmatch

    def read(raw: bytes) -> str | Unreadable:
        try:
            value = decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Unreadable(wrong("result", raw[:200].decode(errors="replace"), pattern))
        whole = pattern != DATA or not len(value) & 1
        return value if whole and match(value) else Unreadable(wrong("result", value, pattern))

    return read


read_transaction = _reader(Transaction, transaction_flaw, _transaction_keys, _foreign)
read_receipt = _reader(Receipt, receipt_flaw, _receipt_keys)
read_block_receipts = _reader(Receipt, receipts_flaw, _receipts_keys, is_list=True)
"""A tuple of receipts."""
read_block = _reader(Block, block_flaw, _block_keys, _foreign_in_block)
read_lean_block = _reader(LeanBlock, lean_block_flaw, _lean_block_keys)
read_header = _reader(LeanBlock, header_flaw, _lean_block_keys, keep=_header_of)
"""The `Header` of what `eth_getBlockBy…(…, false)` answers."""
read_uncle = _reader(Header, header_flaw, _lean_block_keys)
"""What `eth_getUncleBy…` answers: a block without transactions."""
read_proof = _reader(Proof, proof_flaw, _proof_keys, most_bytes=MAX_PROOF_BYTES)
read_quantity = _text_reader(QUANTITY)
read_quantity_64 = _text_reader(QUANTITY_64)
read_data = _text_reader(DATA)
