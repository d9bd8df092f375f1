"""How bodies are stored in L2.

Enters: the bytes of a body and the name of a codec. Leaves: the stored bytes with the tag of the
codec that really was used; back from them exactly those bytes, or an error of the cache. Depends on
the compression libraries and on `validation.cache.errors`.
"""

from typing import Final

from validation.cache.codec.brotli import Brotli
from validation.cache.codec.deflate import Gzip
from validation.cache.codec.plain import Base64, Plain
from validation.cache.codec.seam import Codec
from validation.cache.codec.zstd import dense, quick

CODECS: Final[dict[str, Codec]] = {
    codec.name: codec for codec in (Plain(), Base64(), Gzip(), Brotli(), quick(), dense())
}
# Of two with one tag either reads what the other wrote.
BY_TAG: Final[dict[int, Codec]] = {codec.tag: codec for codec in CODECS.values()}
_PLAIN: Final = CODECS["none"]


def pack(raw: bytes, codec: str, *, least: int = 0) -> tuple[int, bytes]:
    """The tag and the bytes to store: as they are below `least` (0: as the codec says), and where
    encoding would hardly make them smaller.
    """
    chosen = CODECS[codec]
    if len(raw) >= (least or chosen.floor):
        stored = chosen.encode(raw)
        if len(stored) <= len(raw) * chosen.gain:
            return chosen.tag, stored
    return _PLAIN.tag, raw


__all__ = ["BY_TAG", "CODECS", "Codec", "pack"]
