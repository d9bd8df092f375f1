"""zstd: blocks as they are, small bodies with a dictionary that knows what an answer looks like.

A frame names its dictionary by id, so that entries written with an older one stay readable while
that one is shipped. `train.py` says where dictionaries come from.
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
_LEVEL_SMALL: Final = 3
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

    def __init__(self, dictionaries: dict[int, zstandard.ZstdCompressionDict]) -> None:
        current = dictionaries.get(CURRENT)
        self.large = zstandard.ZstdCompressor(level=_LEVEL_LARGE)
        self.small = zstandard.ZstdCompressor(level=_LEVEL_SMALL, dict_data=current)
        self.openers = {
            number: zstandard.ZstdDecompressor(dict_data=dictionary, max_window_size=_WINDOW)
            for number, dictionary in dictionaries.items()
        }
        self.openers[0] = zstandard.ZstdDecompressor(max_window_size=_WINDOW)


class Zstd:
    name: Final = "zstd"
    tag: Final = 4
    floor: Final = 64
    gain: Final = 0.9

    def __init__(self) -> None:
        self._tools = _Tools(_shipped())

    def encode(self, raw: bytes) -> bytes:
        tools = self._tools
        packer = tools.large if len(raw) > _LARGE else tools.small
        return packer.compress(raw)

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        try:
            frame = zstandard.get_frame_parameters(stored)
            # Where a frame states its size the library allocates that much whatever it is told.
            if frame.content_size == _UNKNOWN or frame.content_size > limit:
                raise CorruptPayload(f"zstd of more than the {limit} bytes announced")
            opener = self._tools.openers.get(frame.dict_id)
            if opener is None:
                raise ForeignPayload(f"zstd with dictionary {frame.dict_id}, which is not shipped")
            return opener.decompress(stored, allow_extra_data=False)
        except zstandard.ZstdError as exc:
            raise CorruptPayload("not zstd") from exc
