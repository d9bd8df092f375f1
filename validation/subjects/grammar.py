"""The grammar of subjects: what a person may write, and the one canonical text of each."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from validation.subjects.slots import SlotError, read_slots

MAX_RANGE = 5_000_000
MAX_BLOCK_NUMBER = 2**63 - 1
"""Nodes read block numbers as signed 64-bit integers."""

_ADDRESS_CHARS = 42
_TEXT_SHOWN = 80
_SLOT_ERROR_SHOWN = 160
_MALFORMED_TEXT = 200
# NUL, which PostgreSQL's text refuses, and halves of surrogate pairs, which UTF-8 cannot write.
_UNHELD = re.compile(r"[\x00\ud800-\udfff]").sub


class Kind(StrEnum):
    TX = "tx"
    BLOCK = "block"
    ADDRESS = "address"
    HEAD = "head"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One thing to validate.

    `value` is a lower-case hash, a decimal block number, an address as it was written (its case
    is the EIP-55 checksum), or empty for `head`. After an address may stand the storage slots
    that are to be validated with it. `str()` is the canonical text.
    """

    kind: Kind
    value: str

    @property
    def address(self) -> str:
        """Of an account, without its slots."""
        return self.value[:_ADDRESS_CHARS]

    @property
    def slots(self) -> tuple[str, ...]:
        """The storage slots asked about, each 0x and 64 lower-case hex digits."""
        written = self.value[_ADDRESS_CHARS + 1 :] if self.kind is Kind.ADDRESS else ""
        return tuple(written.split(",")) if written else ()

    def __str__(self) -> str:
        return f"{self.kind}:{self.value}" if self.value else str(self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Malformed:
    """A line, or a part of one, that names no subject: `line` counts from 1.

    Its texts can be kept and sent: what neither PostgreSQL nor UTF-8 can hold is replaced.
    """

    line: int
    text: str
    reason: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _UNHELD("\ufffd", self.text[:_MALFORMED_TEXT]))
        object.__setattr__(self, "reason", _UNHELD("\ufffd", self.reason))


class SubjectError(ValueError):
    """The text names no subject; the message says what was read and what would be right."""


# What is nearly always written, decided by one match; everything else goes the slow way, which
# normalises case or explains. The number of the group that matched says the kind.
_PLAIN = re.compile(
    r"(?:tx:)?(0x[0-9a-f]{64})"
    r"|(?:address:)?(0x[0-9a-fA-F]{40})"
    r"|(?:block:)?(0|[1-9][0-9]{0,17})"
    r"|block:(0x[0-9a-f]{64})"
).fullmatch
_KIND_OF_GROUP = (Kind.HEAD, Kind.TX, Kind.ADDRESS, Kind.BLOCK, Kind.BLOCK)

_RANGE = re.compile(r"(?:block:)?([0-9]{1,20}|0x[0-9a-f]{1,16})-([0-9]{1,20}|0x[0-9a-f]{1,16})")
_HASH = re.compile(r"0x[0-9a-f]{64}").fullmatch
_ADDRESS = re.compile(r"0x[0-9a-f]{40}", re.IGNORECASE).fullmatch
_NUMBER = re.compile(r"[0-9]{1,20}|0x[0-9a-f]{1,16}").fullmatch
_UNPREFIXED_HEX = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}").fullmatch

_HEAD = Subject(kind=Kind.HEAD, value="")


def parse_plain(text: str) -> Subject | None:
    """Read a subject in its usual form; None where it takes `expand` to read or to refuse it."""
    match = _PLAIN(text)
    if match is None:
        return None
    group = match.lastindex or 0
    return Subject(kind=_KIND_OF_GROUP[group], value=match[group])


def parse_subject(text: str) -> Subject:
    """Read one subject; raises `SubjectError`."""
    return parse_plain(text) or _parse_unusual(text.strip())


def expand(text: str) -> Iterator[Subject]:
    """Read one subject or a range of blocks; raises `SubjectError` at once, not while iterating."""
    if "-" not in text:
        return iter((parse_subject(text),))
    match = _RANGE.fullmatch(text.strip().lower())
    if match is None:
        raise SubjectError(f"{_shown(text)} is not a range of blocks; write block:1-5000")
    first, last = _number(match[1], text), _number(match[2], text)
    if last < first:
        raise SubjectError(f"{_shown(text)} ends before it starts; write block:{last}-{first}")
    if last - first >= MAX_RANGE:
        raise SubjectError(
            f"{_shown(text)} holds {last - first + 1:,} blocks; a range may hold {MAX_RANGE:,}"
        )
    return (Subject(kind=Kind.BLOCK, value=str(number)) for number in range(first, last + 1))


def _parse_unusual(text: str) -> Subject:
    lowered = text.lower()
    if lowered == "head":
        return _HEAD
    prefix, colon, value = lowered.partition(":")
    value = value.strip()
    if not colon:
        return _parse_bare(text, lowered)
    if prefix == Kind.TX:
        if _HASH(value):
            return Subject(kind=Kind.TX, value=value)
        raise SubjectError(f"{_shown(text)}: a transaction is 0x and 64 hex digits{_but(value)}")
    if prefix == Kind.ADDRESS:
        return _parse_address(text, text.partition(":")[2].strip())
    if prefix == Kind.BLOCK:
        return _parse_block(text, value)
    raise SubjectError(f"{_shown(text)}: a subject starts with tx:, block: or address:, or is head")


def _parse_bare(text: str, lowered: str) -> Subject:
    if _HASH(lowered):
        return Subject(kind=Kind.TX, value=lowered)
    if _ADDRESS(lowered.partition("/")[0]):
        return _parse_address(text, text)
    if lowered.isascii() and lowered.isdigit():
        return _parse_block(text, lowered)
    if not lowered:
        raise SubjectError("an empty text names no subject")
    if _UNPREFIXED_HEX(lowered):
        raise SubjectError(f"{_shown(text)} lacks its 0x in front")
    if lowered.startswith("0x"):
        raise SubjectError(
            f"{_shown(text)} is neither a hash (0x and 64 hex digits) nor an address"
            f" (0x and 40){_but(lowered)}"
        )
    raise SubjectError(
        f"{_shown(text)} is no subject; write tx:0x…, block:123, block:0x…, address:0x… or head"
    )


def _parse_block(text: str, value: str) -> Subject:
    if _HASH(value):
        return Subject(kind=Kind.BLOCK, value=value)
    if value in {"latest", "head"}:
        raise SubjectError(f"{_shown(text)}: the newest block is written head")
    if "-" in value:
        raise SubjectError(f"{_shown(text)} is a range where one subject is expected")
    return Subject(kind=Kind.BLOCK, value=str(_number(value, text)))


def _number(value: str, text: str) -> int:
    if not _NUMBER(value):
        raise SubjectError(
            f"{_shown(text)}: a block is a number or a hash of 0x and 64 hex digits{_but(value)}"
        )
    number = int(value, 16 if value.startswith("0x") else 10)
    if number > MAX_BLOCK_NUMBER:
        raise SubjectError(f"{_shown(text)}: no block has a number above {MAX_BLOCK_NUMBER}")
    return number


def _parse_address(text: str, value: str) -> Subject:
    """`value` as it was written: an address, and after a slash the slots of its storage."""
    address, slash, slots = value.partition("/")
    if not _ADDRESS(address):
        raise SubjectError(
            f"{_shown(text)}: an address is 0x and 40 hex digits{_but(address.lower())}"
        )
    address = "0x" + address[2:]
    if not slash:
        return Subject(kind=Kind.ADDRESS, value=address)
    try:
        read = read_slots(slots)
    except SlotError as error:
        raise SubjectError(f"{_shown(text)}: {_shown(str(error), _SLOT_ERROR_SHOWN)}") from None
    return Subject(kind=Kind.ADDRESS, value=f"{address}/{','.join(read)}")


def _but(value: str) -> str:
    """Why a value of hex digits is not what was wanted, where that can be told."""
    digits = value.removeprefix("0x")
    strange = next((digit for digit in digits if digit not in "0123456789abcdef"), None)
    if strange is not None:
        return f", and {strange!r} is no hex digit"
    return f", this has {len(digits)}" if value.startswith("0x") else ""


def _shown(text: str, limit: int = _TEXT_SHOWN) -> str:
    """What was written, fit for a terminal: it may hold escape sequences or change direction."""
    text = text.strip()
    shown = "".join(c if c.isprintable() else "\ufffd" for c in text[:limit])
    return shown if len(text) <= limit else f"{shown}…"
