"""Brotli, at a quality that depends on the size: fast for blocks, thorough for what is small."""

from typing import Final

import brotli

from validation.cache.errors import CorruptPayload

_LARGE: Final = 32 * 1024
_FAST: Final = 1
_THOROUGH: Final = 5


class Brotli:
    """It carries no checksum of its own: only the envelope's keyed hash tells bytes of ours."""

    name: Final = "brotli"
    tag: Final = 3
    floor: Final = 512
    gain: Final = 0.9

    def encode(self, raw: bytes) -> bytes:
        quality = _FAST if len(raw) > _LARGE else _THOROUGH
        packed: bytes = brotli.compress(raw, quality=quality)
        return packed

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        opener = brotli.Decompressor()
        parts: list[bytes] = []
        room = limit + 1
        data = bytes(stored)
        try:
            while room > 0:
                part: bytes = opener.process(data, output_buffer_limit=room)
                parts.append(part)
                room -= len(part)
                if not part or opener.is_finished():
                    break
                data = b""  # what is left is inside the decoder
        except brotli.error as exc:
            raise CorruptPayload("not Brotli") from exc
        if room <= 0:
            raise CorruptPayload(f"Brotli of more than the {limit} bytes announced")
        if not opener.is_finished():
            raise CorruptPayload("Brotli cut short")
        return b"".join(parts)
