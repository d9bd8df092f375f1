"""RLP over bytes: a decoder that takes one spelling of each item only, and an encoder.

What is decoded came from a stranger: depth, size and number of items are bounded before anything
is allocated for them, and whatever is not exactly one canonical item raises `Malformed`.
"""

from collections.abc import Sequence

MAX_DEPTH = 16
MAX_BYTES = 10 * 2**20
"""As large as a whole block may be (EIP-7934)."""
MAX_ITEMS = 200_000

type Item = bytes | list["Item"]
type Encodable = bytes | Sequence["Encodable"]

_STRING, _LIST = 0x80, 0xC0
_SHORT = 55
"""The longest payload whose size is in the first byte."""


class Malformed(ValueError):
    """Not exactly one canonical RLP item, or one beyond the bounds; says what and where."""


def decode(data: bytes, *, max_depth: int = MAX_DEPTH) -> Item:
    """The one item that `data` spells, with lists nested at most `max_depth` deep."""
    size = len(data)
    if size > MAX_BYTES:
        raise Malformed(f"{size} bytes are more than the {MAX_BYTES} that are read")
    start, end, is_list = head(data, 0, size)
    if end != size:
        raise Malformed(f"{size - end} bytes follow the item")
    if not is_list:
        return data[start:end]
    items, _ = _items(data, start, end, max_depth, MAX_ITEMS)
    return items


def _items(data: bytes, at: int, end: int, deeper: int, room: int) -> tuple[list[Item], int]:
    """What a list holds, and how many more items may be read after it."""
    if deeper < 1:
        raise Malformed(f"byte {at}: lists are nested too deep")
    found: list[Item] = []
    while at < end:
        start, after, is_list = head(data, at, end)
        room -= 1
        if room < 0:
            raise Malformed(f"byte {at}: more than {MAX_ITEMS} items")
        if is_list:
            inner, room = _items(data, start, after, deeper - 1, room)
            found.append(inner)
        else:
            found.append(data[start:after])
        at = after
    return found, room


def head(data: bytes, at: int, end: int) -> tuple[int, int, bool]:
    """Where the payload of the item at `at` starts and ends, and whether it is a list.

    `end` is that of the list around it, or of the data: no payload reaches beyond.
    """
    if at >= end:
        raise Malformed(f"byte {at}: an item is missing")
    lead = data[at]
    if lead < _STRING:
        return at, at + 1, False
    is_list = lead >= _LIST
    size = lead - (_LIST if is_list else _STRING)
    start = at + 1
    if size > _SHORT:
        start, size = _long(data, start, size - _SHORT, end)
    if size > end - start:
        raise Malformed(f"byte {at}: an item of {size} bytes, of which {end - start} are there")
    if size == 1 and not is_list and data[start] < _STRING:
        raise Malformed(f"byte {at}: a small byte spelt with a length")
    return start, start + size, is_list


def _long(data: bytes, at: int, width: int, end: int) -> tuple[int, int]:
    """Start and size of a payload whose size takes `width` bytes of its own."""
    start = at + width
    if start > end:
        raise Malformed(f"byte {at}: a length of {width} bytes, of which {end - at} are there")
    size = int.from_bytes(data[at:start])
    if size <= _SHORT or not data[at]:
        raise Malformed(f"byte {at}: a length that takes more bytes than it needs")
    return start, size


def encode(item: Encodable) -> bytes:
    """`item` is bytes, or a sequence of items."""
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < _STRING:
            return item
        return led(item, _STRING)
    return sequence(b"".join(map(encode, item)))


def sequence(payload: bytes) -> bytes:
    """The list of the items that `payload` has encoded, one after the other."""
    return led(payload, _LIST)


def led(payload: bytes, offset: int) -> bytes:
    """`payload` after its length; `offset` tells a string from a list."""
    size = len(payload)
    if size <= _SHORT:
        return bytes((offset + size,)) + payload
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((offset + _SHORT + len(length),)) + length + payload


def uint(value: int) -> bytes:
    """What RLP holds for an unsigned integer: big-endian without leading zeros."""
    return value.to_bytes((value.bit_length() + 7) // 8)


def read_uint(item: Item, *, width: int = 32) -> int:
    """The unsigned integer of at most `width` bytes that `item` holds."""
    if not isinstance(item, bytes):
        raise Malformed("a list where a number belongs")
    if len(item) > width:
        raise Malformed(f"a number of {len(item)} bytes, where {width} are the most")
    if item and not item[0]:
        raise Malformed("a number with leading zeros")
    return int.from_bytes(item)
