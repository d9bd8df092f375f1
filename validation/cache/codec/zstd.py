"""zstd: blocks as they are, small bodies with a dictionary that knows what an answer looks like.

Frames go without zstd's magic number, since the envelope says what they are. A frame names its
dictionary by id, so that entries written with an older one stay readable while it is shipped.
`train.py` says where dictionaries come from.
"""

import threading
from pathlib import Path
from typing import Final

import zstandard

from validation.cache.errors import CorruptPayload, ForeignPayload

FOLDER: Final = Path(__file__).parent / "dictionaries"
CURRENT: Final = 1
"""The dictionary that new entries are written with."""

_LARGE: Final = 32 * 1024
_LEVEL_LARGE: Final = 1
# Lazy matching of no less than six bytes: shorter matches among hex digits are chance, and cost
# more to write down than the digits. Measured: 3.45 on single transactions, level 3's own 3.1.
_SMALL: Final = zstandard.ZstdCompressionParameters(
    format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    strategy=zstandard.STRATEGY_LAZY2,
    min_match=6,
    window_log=17,
    hash_log=16,
    chain_log=16,
    search_log=3,
    target_length=64,
    write_content_size=True,
    write_dict_id=True,
)
# Taken for hot paths: a fifth of the time for a twentieth more bytes (3.28).
_QUICK: Final = zstandard.ZstdCompressionParameters(
    format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    strategy=zstandard.STRATEGY_FAST,
    min_match=7,
    window_log=17,
    hash_log=16,
    chain_log=16,
    search_log=1,
    write_content_size=True,
    write_dict_id=True,
)
_BLOCKS: Final = zstandard.ZstdCompressionParameters.from_level(
    _LEVEL_LARGE, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=True
)
_WINDOW: Final = 8 << 20
_UNKNOWN: Final = zstandard.CONTENTSIZE_UNKNOWN


def _shipped() -> dict[int, zstandard.ZstdCompressionDict]:
    found = {}
    for path in sorted(FOLDER.glob("*.zdict")):
        dictionary = zstandard.ZstdCompressionDict(path.read_bytes())
        found[dictionary.dict_id()] = dictionary
    return found


class _Tools(threading.local):
    """A compressor works for one thread at a time and lets others run while it does."""

    def __init__(
        self,
        dictionaries: dict[int, zstandard.ZstdCompressionDict],
        small: zstandard.ZstdCompressionParameters,
    ) -> None:
        self.large = zstandard.ZstdCompressor(compression_params=_BLOCKS)
        self.small = zstandard.ZstdCompressor(
            compression_params=small, dict_data=dictionaries[CURRENT]
        )
        self.openers = {0: _opener(None)}
        for number, dictionary in dictionaries.items():
            self.openers[number] = _opener(dictionary)


def _opener(dictionary: zstandard.ZstdCompressionDict | None) -> zstandard.ZstdDecompressor:
    return zstandard.ZstdDecompressor(
        dict_data=dictionary,
        max_window_size=_WINDOW,
        format=zstandard.FORMAT_ZSTD1_MAGICLESS,
    )


class Zstd:
    """Frames of both speeds are read alike."""

    tag: Final = 4
    floor: Final = 64
    gain: Final = 0.9

    def __init__(self, name: str, small: zstandard.ZstdCompressionParameters) -> None:
        self.name: Final = name
        self._tools = _Tools(_shipped(), small)

    def encode(self, raw: bytes) -> bytes:
        tools = self._tools
        packer = tools.large if len(raw) > _LARGE else tools.small
        return packer.compress(raw)

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        try:
            frame = zstandard.get_frame_parameters(stored, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
            # Where a frame states its size the library allocates that much whatever it is told.
            if frame.content_size == _UNKNOWN or frame.content_size > limit:
                raise CorruptPayload(f"zstd of more than the {limit} bytes announced")
            opener = self._tools.openers.get(frame.dict_id)
            if opener is None:
                raise ForeignPayload(f"zstd with dictionary {frame.dict_id}, which is not shipped")
            return opener.decompress(stored, allow_extra_data=False)
        except zstandard.ZstdError as exc:
            raise CorruptPayload("not zstd") from exc


def dense() -> Zstd:
    """The smallest entries."""
    return Zstd("zstd", _SMALL)


def quick() -> Zstd:
    """The least time on the path of an item."""
    return Zstd("zstd-fast", _QUICK)
