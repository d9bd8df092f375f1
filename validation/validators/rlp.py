"""A lean RLP encoder from the hex of JSON-RPC to hex, to be turned into bytes once at the end.

`rlp` takes 23 µs for a header whose fields are bytes already; this takes 5 from the answer's own
text. Tests hold it against `rlp`. What enters must have matched its shape before.
"""

_SHORT = 55
_SINGLE = 0x80
_SMALL = {hex(number): f"{number:02x}" for number in range(1, _SINGLE)} | {"0x0": "80"}
_PREFIX = [f"{_SINGLE + length:02x}" for length in range(_SHORT + 1)]
_LIST_PREFIX = [f"{0xC0 + length:02x}" for length in range(_SHORT + 1)]

EMPTY = "80"
EMPTY_LIST = "c0"


def quantity(value: str) -> str:
    """A hex quantity, as the shortest big-endian bytes: zero is empty."""
    small = _SMALL.get(value)
    if small is not None:
        return small
    digits = value[2:]
    length = len(digits)
    if length & 1:
        digits = "0" + digits
        length += 1
    if length == 2 and digits < "80":  # noqa: PLR2004 - a byte; reached by capitals only
        return digits
    return _PREFIX[length >> 1] + digits


def data(value: str) -> str:
    """Hex data of any length, kept as it is."""
    digits = value[2:]
    length = len(digits) >> 1
    if length == 1 and digits < "80":
        return digits
    if length <= _SHORT:
        return _PREFIX[length] + digits
    return _long_prefix(length, 0xB7) + digits


def hash32(value: str) -> str:
    return "a0" + value[2:]


def address(value: str | None) -> str:
    """20 bytes, or empty where a transaction creates a contract."""
    return "94" + value[2:] if value else EMPTY


def sequence(payload: str) -> str:
    """A list whose items are already encoded and joined."""
    length = len(payload) >> 1
    if length <= _SHORT:
        return _LIST_PREFIX[length] + payload
    return _long_prefix(length, 0xF7) + payload


def _long_prefix(length: int, offset: int) -> str:
    """The length of the length, then the length."""
    size = (length.bit_length() + 7) >> 3
    return f"{offset + size:02x}{length:0{2 * size}x}"
