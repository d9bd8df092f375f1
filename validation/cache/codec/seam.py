"""What a codec is to the envelope."""

from typing import Protocol


class Codec(Protocol):
    """A way to store a body, named in the envelope by its tag byte for as long as entries live."""

    @property
    def name(self) -> str: ...

    @property
    def tag(self) -> int: ...

    @property
    def floor(self) -> int:
        """Bodies below so many bytes are stored as they are."""
        ...

    @property
    def gain(self) -> float:
        """Stored encoded only where the result is at most this share of the raw size."""
        ...

    def encode(self, raw: bytes) -> bytes: ...

    def decode(self, stored: bytes, *, limit: int) -> bytes:
        """At most `limit` bytes, held to it while decoding; raises CorruptPayload or
        ForeignPayload and nothing else, whatever the bytes are. Safe from any thread.
        """
        ...
