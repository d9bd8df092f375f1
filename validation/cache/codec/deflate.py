"""gzip, whose window is too small for a block's repetitions but which every tool reads."""

import zlib
from typing import Final

from validation.cache.errors import CorruptPayload

_GZIP: Final = 16 + zlib.MAX_WBITS
_LEVEL: Final = 6


class Gzip:
    name: Final = "gzip"
    tag: Final = 2
    floor: Final = 512
    gain: Final = 0.9

    def encode(self, raw: bytes) -> bytes:
        packer = zlib.compressobj(_LEVEL, wbits=_GZIP)
        return packer.compress(raw) + packer.flush()

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        opener = zlib.decompressobj(wbits=_GZIP)
        try:
            raw = opener.decompress(stored, limit + 1)
        except zlib.error as exc:
            raise CorruptPayload("not gzip") from exc
        if len(raw) > limit:
            raise CorruptPayload(f"gzip of more than the {limit} bytes announced")
        if not opener.eof or opener.unused_data:
            raise CorruptPayload("gzip cut short or followed by other bytes")
        return raw
