"""Bodies that are not compressed: as they are, and in base64 as the sources stored them."""

import base64
import binascii
from typing import Final

from validation.cache.errors import CorruptPayload

_ALWAYS: Final = float("inf")


class Plain:
    """The bytes as they are."""

    name: Final = "none"
    tag: Final = 0
    floor: Final = 0
    gain: Final = _ALWAYS

    def encode(self, raw: bytes) -> bytes:
        return raw

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        if len(stored) > limit:
            raise CorruptPayload(f"{len(stored)} bytes where at most {limit} were announced")
        return bytes(stored)


class Base64:
    """The baseline: a third larger than the bytes themselves, and stored all the same."""

    name: Final = "base64"
    tag: Final = 1
    floor: Final = 0
    gain: Final = _ALWAYS

    def encode(self, raw: bytes) -> bytes:
        return base64.b64encode(raw)

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        if len(stored) > 4 * (limit // 3 + 1):
            raise CorruptPayload(f"base64 of more than the {limit} bytes announced")
        try:
            raw = binascii.a2b_base64(stored, strict_mode=True)
        except ValueError as exc:
            raise CorruptPayload("not base64") from exc
        if len(raw) > limit:
            raise CorruptPayload(f"base64 of more than the {limit} bytes announced")
        return raw
