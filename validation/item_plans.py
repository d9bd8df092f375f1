"""How a chunk's items are split between the variants of a flag, each by the hash of its key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from mmh3 import mmh3_32_uintdigest

from validation.flags import FlagKey

PERCENT: Final = 100
# Bytes of a key whose head is made before: an address with three slots is longer.
_USUAL: Final = 128


class Share(Protocol):
    """Which variant of one flag an item has, by its key. `str()` tells it to people."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Those that items have; one: all alike."""

    def variant_of(self, subject: str) -> str: ...


@dataclass(frozen=True, slots=True)
class Whole:
    """All items alike."""

    variant: str

    @property
    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def variant_of(self, subject: str) -> str:
        del subject
        return self.variant

    def __str__(self) -> str:
        return self.variant


class Split:
    """The target for `stage` of a hundred items, by hash; the rest for the others.

    As flagd's `fractional` does: the Murmur3 hash of CBOR's [flag key, targeting key], as a share
    of 2^32. Asked for each item: what can be computed before is.
    """

    __slots__ = ("_below", "_heads", "_rest", "_stage", "_target", "variants")

    def __init__(self, key: str, *, stage: int, target: str, rest: str) -> None:
        self._stage, self._target, self._rest = stage, target, rest
        self.variants: tuple[str, ...] = tuple(dict.fromkeys((target, rest)))
        self._below = -(-(stage << 32) // PERCENT)
        array = b"\x82" + _cbor_head(len(key.encode())) + key.encode()
        self._heads = tuple(array + _cbor_head(size) for size in range(_USUAL))

    def variant_of(self, subject: str) -> str:
        text = subject.encode()
        size = len(text)
        head = self._heads[size] if size < _USUAL else self._long_head(size)
        return self._target if mmh3_32_uintdigest(head + text) < self._below else self._rest

    def _long_head(self, size: int) -> bytes:
        return self._heads[0][:-1] + _cbor_head(size)

    def __str__(self) -> str:
        return f"{self._target} on {self._stage} %, {self._rest} else"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """How items are split between variants. A chunk keeps the one that it began with."""

    of: Mapping[str, Share] = field(default_factory=dict)
    # Told once a chunk, by whoever counted how many items had which variant.
    count: Callable[[str, Mapping[str, int]], None] = lambda _key, _counts: None

    def share(self, flag: FlagKey[str]) -> Share:
        return self.of.get(flag.key, Whole(flag.default))

    def variant_of(self, flag: FlagKey[str], subject: str) -> str:
        return self.share(flag).variant_of(subject)


def _cbor_head(size: int) -> bytes:
    """Of a text of so many bytes."""
    if size < 24:  # noqa: PLR2004 - what fits into the first byte
        return bytes((0x60 + size,))
    if size < 256:  # noqa: PLR2004 - one byte of length
        return bytes((0x78, size))
    width = 2 if size < 1 << 16 else 4
    return bytes((0x79 if width == 2 else 0x7A,)) + size.to_bytes(width)  # noqa: PLR2004 - bytes
