"""RLP, encoding only: the `rlp` package takes four tenths of a second to import, a start's half.

The tests hold it against that package.
"""

from collections.abc import Sequence
from typing import Any

_SHORT = 56  # payloads below this length have it in their first byte


def encode(item: bytes | int | Sequence[Any]) -> bytes:
    """Integers are unsigned and big-endian without leading zeros; sequences nest."""
    if isinstance(item, int):
        item = item.to_bytes((item.bit_length() + 7) // 8)
    if isinstance(item, bytes):
        if len(item) == 1 and item[0] < 0x80:  # noqa: PLR2004 - its own encoding, says the format
            return item
        return _led(item, 0x80)
    return _led(b"".join(map(encode, item)), 0xC0)


def _led(payload: bytes, offset: int) -> bytes:
    size = len(payload)
    if size < _SHORT:
        return bytes((offset + size,)) + payload
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes((offset + _SHORT - 1 + len(length),)) + length + payload
