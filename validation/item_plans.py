"""How a chunk's items are split between the variants of a flag, each by the hash of its key."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

import mmh3

from validation.flags import FlagKey

PERCENT: Final = 100


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

    As flagd's `fractional` does: the Murmur3 hash of CBOR's [flag key, targeting key].
    """

    __slots__ = ("_prefix", "_rest", "_stage", "_target", "variants")

    def __init__(self, key: str, *, stage: int, target: str, rest: str) -> None:
        self._prefix = b"\x82" + _cbor_text(key)
        self._stage, self._target, self._rest = stage, target, rest
        self.variants: tuple[str, ...] = tuple(dict.fromkeys((target, rest)))

    def variant_of(self, subject: str) -> str:
        bucket = mmh3.hash(self._prefix + _cbor_text(subject), 0, False) * PERCENT >> 32
        return self._target if bucket < self._stage else self._rest

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


def _cbor_text(text: str) -> bytes:
    body = text.encode()
    size = len(body)
    if size < 24:  # noqa: PLR2004 - what fits into the first byte
        return bytes((0x60 + size,)) + body
    if size < 256:  # noqa: PLR2004 - one byte of length
        return bytes((0x78, size)) + body
    return b"\x79" + size.to_bytes(2) + body
