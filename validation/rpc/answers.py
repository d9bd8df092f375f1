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
from validation.rpc.schema import (
    AccessEntry,
    Authorization,
    Block,
    Header,
    LeanBlock,
    Log,
    Receipt,
    Transaction,
    Withdrawal,
)
from validation.rpc.shapes import ADDRESS, DATA, HASH, QUANTITY, QUANTITY_64, shown, wrong
from validation.rpc.strict import Refused, check_exactly

MAX_TOPICS = 4

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
}
_LISTS = {
    0: (),
    1: (("access_list", "accessList"),),
    2: (("access_list", "accessList"),),
    3: (("access_list", "accessList"), ("blob_versioned_hashes", "blobVersionedHashes")),
    4: (("access_list", "accessList"), ("authorization_list", "authorizationList")),
}
_FOREIGN_GETTERS = {
    # The first name twice, since of a single name attrgetter gives no tuple.
    number: attrgetter(next(iter(names)), *names)
    for number, names in fields.FOREIGN.items()
}
_is_hash = re.compile(HASH).fullmatch
_are_topics = re.compile(f"{HASH}(?:,{HASH}){{0,{MAX_TOPICS - 1}}}").fullmatch
_place_of = attrgetter("transaction_hash", "block_hash", "block_number", "transaction_index")
_is_address = re.compile(ADDRESS).fullmatch
_place = re.compile(r" - at `\$\.?([^`]*)`$").search


def _transaction_flaw(tx: Transaction) -> str:
    number = tx.type_number
    if number is None:
        return fields.UNKNOWN_TYPE.flaw(tx)
    return fields.TRANSACTION[number].flaw(tx) or _lists_flaw(tx, number)


def _lists_flaw(tx: Transaction, number: int) -> str:
    if number and not tx.v and not tx.y_parity:
        return "yParity is missing"
    for attribute, name in _LISTS[number]:
        held = getattr(tx, attribute)
        if held is None or held is UNSET:
            return f"{name} is {'missing' if held is UNSET else 'null'}"
    for entry in tx.access_list or ():
        if not _is_address(entry.address):
            return wrong("accessList address", entry.address, ADDRESS)
        for key in entry.storage_keys:
            if not _is_hash(key):
                return wrong("accessList storageKeys", key, HASH)
    for versioned in tx.blob_versioned_hashes or ():
        if not _is_hash(versioned):
            return wrong("blobVersionedHashes", versioned, HASH)
    return next(filter(None, map(fields.AUTHORIZATION.flaw, tx.authorization_list or ())), "")


def _receipt_flaw(receipt: Receipt) -> str:
    flaw = fields.RECEIPT.flaw(receipt)
    if flaw:
        return flaw
    if not receipt.status and not receipt.root:
        return "status is missing"
    place = _place_of(receipt)
    for log in receipt.logs:
        # A log nearly always repeats the place of its receipt, whose shape is known to be right.
        flaw = "" if _place_of(log) == place else fields.LOG_PLACE.flaw(log)
        flaw = flaw or fields.LOG.flaw(log) or _topics_flaw(log.topics)
        if flaw:
            return flaw
    return ""


def _topics_flaw(topics: tuple[str, ...]) -> str:
    if not topics or _are_topics(",".join(topics)):
        return ""
    if len(topics) > MAX_TOPICS:
        return f"log topics holds {len(topics)}, more than {MAX_TOPICS}"
    strange = next(topic for topic in topics if not _is_hash(topic))
    return wrong("log topics", strange, HASH)


def _header_flaw(header: Header) -> str:
    flaw = fields.HEADER.flaw(header)
    if flaw:
        return flaw
    for uncle in header.uncles or ():
        if not _is_hash(uncle):
            return wrong("uncles", uncle, HASH)
    return next(filter(None, map(fields.WITHDRAWAL.flaw, header.withdrawals or ())), "")


def _block_flaw(block: Block) -> str:
    for index, tx in enumerate(block.transactions):
        flaw = _transaction_flaw(tx)
        if flaw:
            return f"transactions[{index}] {flaw}"
    return _header_flaw(block)


def _lean_block_flaw(block: LeanBlock) -> str:
    for held in block.transactions:
        if not _is_hash(held):
            return wrong("transactions", held, HASH)
    return _header_flaw(block)


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


def _none(_: object) -> tuple[str, ...]:
    return ()


def _object_reader[T: msgspec.Struct](
    kind: type[T],
    flaw_of: Callable[[T], str],
    keys_of: Callable[[T], int],
    foreign_of: Callable[[T], tuple[str, ...]] = _none,
) -> Callable[[bytes], Read]:
    decode = msgspec.json.Decoder(kind | None).decode

    def read(raw: bytes) -> Read:
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
        return Answer(value, unknown)

    return read


def _unknown(raw: bytes, kind: type) -> tuple[str, ...]:
    names = dict.fromkeys(_unknown_names(msgspec.json.decode(raw), kind))
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
    except (msgspec.MsgspecError, LookupError, TypeError):
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


read_transaction = _object_reader(Transaction, _transaction_flaw, _transaction_keys, _foreign)
read_receipt = _object_reader(Receipt, _receipt_flaw, _receipt_keys)
read_block = _object_reader(Block, _block_flaw, _block_keys, _foreign_in_block)
read_lean_block = _object_reader(LeanBlock, _lean_block_flaw, _lean_block_keys)
read_quantity = _text_reader(QUANTITY)
read_quantity_64 = _text_reader(QUANTITY_64)
read_data = _text_reader(DATA)
