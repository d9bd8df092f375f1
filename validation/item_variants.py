"""Which variants each item of a chunk has, by the hash of its key, and which fetcher it asks so.

Fetchers are made once a variant, and chosen once an item. Where no stage splits the items, nothing
is asked of any of them.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Final, Protocol

from mmh3 import mmh3_32_uintdigest

from validation.flags import CACHED_KINDS, FETCH_MODE, FlagKey
from validation.validators import Fetcher, Outcome

PERCENT: Final = 100
# Bytes of a key whose head is made before: an address with three slots is longer.
_USUAL: Final = 128

type Variants = tuple[str, str]
"""How an item's calls are asked, and which kinds of answers are kept."""
VARIED: Final = (FETCH_MODE.key, CACHED_KINDS.key)
"""The flags that they are of."""


class Share(Protocol):
    """Which variant of one flag an item has, by its key. `str()` tells it to people."""

    @property
    def variants(self) -> tuple[str, ...]:
        """Those that items have; one: all alike."""

    def variant_of(self, subject: bytes) -> str:
        """`subject` in UTF-8: encoded once for all flags."""

    def within(self, known: Collection[str], default: str) -> "Share":
        """Itself, where all its variants are known; else with `default` for those that are not."""


@dataclass(frozen=True, slots=True)
class Whole:
    """All items alike."""

    variant: str

    @property
    def variants(self) -> tuple[str, ...]:
        return (self.variant,)

    def variant_of(self, subject: bytes) -> str:
        del subject
        return self.variant

    def within(self, known: Collection[str], default: str) -> Share:
        return self if self.variant in known else Whole(default)

    def __str__(self) -> str:
        return self.variant


class Split:
    """The target for `stage` of a hundred items, by hash; the rest for the others.

    As flagd's `fractional` does: the Murmur3 hash of CBOR's [flag key, targeting key], as a share
    of 2^32. Asked for each item: what can be computed before is.
    """

    __slots__ = ("_below", "_heads", "_key", "_rest", "_stage", "_target", "variants")

    def __init__(self, key: str, *, stage: int, target: str, rest: str) -> None:
        self._key, self._stage, self._target, self._rest = key, stage, target, rest
        self.variants: tuple[str, ...] = tuple(dict.fromkeys((target, rest)))
        self._below = -(-(stage << 32) // PERCENT)
        array = b"\x82" + _cbor_head(len(key.encode())) + key.encode()
        self._heads = tuple(array + _cbor_head(size) for size in range(_USUAL))

    def variant_of(self, subject: bytes) -> str:
        size = len(subject)
        head = self._heads[size] if size < _USUAL else self._long_head(size)
        return self._target if mmh3_32_uintdigest(head + subject) < self._below else self._rest

    def within(self, known: Collection[str], default: str) -> Share:
        if all(variant in known for variant in self.variants):
            return self
        target, rest = (
            variant if variant in known else default for variant in (self._target, self._rest)
        )
        if target == rest:
            return Whole(rest)
        return Split(self._key, stage=self._stage, target=target, rest=rest)

    def _long_head(self, size: int) -> bytes:
        return self._heads[0][:-1] + _cbor_head(size)

    def __str__(self) -> str:
        return f"{self._target} on {self._stage} %, {self._rest} else"


class Drag(Protocol):
    """Has items of some variants take longer, to see what is made of it: `validation.drag`."""

    def is_on(self, variants: Variants) -> bool: ...
    async def longer(self, outcome: Outcome) -> Outcome: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemPlan:
    """How items are split between variants. A chunk keeps the one that it began with."""

    of: Mapping[str, Share] = field(default_factory=dict)
    # Told once a chunk, by whoever counted how many items had which variant.
    count: Callable[[str, Mapping[str, int]], None] = lambda _key, _counts: None
    # Told once a chunk, for each two variants that items of it had: what became of those.
    done: Callable[[Variants, Sequence[Outcome]], None] = lambda _variants, _outcomes: None
    drag: Drag | None = None

    def share(self, flag: FlagKey[str]) -> Share:
        return self.of.get(flag.key, Whole(flag.default))

    def variant_of(self, flag: FlagKey[str], subject: str) -> str:
        return self.share(flag).variant_of(subject.encode())


class Chooser(Protocol):
    """Of one chunk, whose items it knows by their places in it."""

    def fetcher(self, subject: str, place: int) -> Fetcher: ...

    def drags(self) -> Callable[[int], Drag | None] | None:
        """What tells the drag on an item that has its fetcher; None: there is none on any."""

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        """The chunk is done, and not to be repeated: who had what is counted."""


class Always:
    """The same for all, whatever flags say."""

    def __init__(self, fetcher: Fetcher) -> None:
        self._fetcher = fetcher

    def fetcher(self, subject: str, place: int) -> Fetcher:
        del subject, place
        return self._fetcher

    def drags(self) -> Callable[[int], Drag | None] | None:
        return None

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        del outcomes


class Same(Always):
    """One variant of each flag for all."""

    def __init__(self, fetcher: Fetcher, variants: Variants, plan: ItemPlan) -> None:
        super().__init__(fetcher)
        self._variants = variants
        self._plan = plan

    def drags(self) -> Callable[[int], Drag | None] | None:
        drag = self._plan.drag
        return (lambda _place: drag) if drag is not None and drag.is_on(self._variants) else None

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        _count(self._plan, {self._variants: outcomes})


class ByItem:
    """Some flag is split."""

    def __init__(
        self, fetchers: Mapping[Variants, Fetcher], mode: Share, kinds: Share, plan: ItemPlan
    ) -> None:
        self._mode, self._kinds = mode.variant_of, kinds.variant_of
        self._plan = plan
        self._fetchers = fetchers
        self._chosen: dict[int, Variants] = {}

    def fetcher(self, subject: str, place: int) -> Fetcher:
        text = subject.encode()
        chosen = self._chosen[place] = self._mode(text), self._kinds(text)
        return self._fetchers[chosen]

    def drags(self) -> Callable[[int], Drag | None] | None:
        drag, chosen = self._plan.drag, self._chosen
        if drag is None:
            return None
        return lambda place: drag if drag.is_on(chosen[place]) else None

    def tell(self, outcomes: Sequence[Outcome]) -> None:
        found: dict[Variants, list[Outcome]] = {variants: [] for variants in self._fetchers}
        for place, variants in self._chosen.items():
            found[variants].append(outcomes[place])
        _count(self._plan, found)


class Choices:
    """The fetchers of one engine. `make` raises ValueError for a variant that it does not know."""

    def __init__(self, make: Callable[[str, str], Fetcher]) -> None:
        self._make = make
        self._made: dict[Variants, Fetcher] = {}

    def by(self, plan: ItemPlan) -> Chooser:
        mode, kinds = plan.share(FETCH_MODE), plan.share(CACHED_KINDS)
        pairs = tuple(product(mode.variants, kinds.variants))
        if len(pairs) == 1:
            return Same(self._get(pairs[0]), pairs[0], plan)
        return ByItem({pair: self._get(pair) for pair in pairs}, mode, kinds, plan)

    def _get(self, variants: Variants) -> Fetcher:
        made = self._made.get(variants)
        if made is None:
            made = self._made[variants] = self._make(*variants)
        return made


def _count(plan: ItemPlan, outcomes: Mapping[Variants, Sequence[Outcome]]) -> None:
    for place, key in enumerate(VARIED):
        found: Counter[str] = Counter()
        for variants, those in outcomes.items():
            found[variants[place]] += len(those)
        plan.count(key, found)
    for variants, those in outcomes.items():
        if those:
            plan.done(variants, those)


def _cbor_head(size: int) -> bytes:
    """Of a text of so many bytes."""
    if size < 24:  # noqa: PLR2004 - what fits into the first byte
        return bytes((0x60 + size,))
    if size < 256:  # noqa: PLR2004 - one byte of length
        return bytes((0x78, size))
    width = 2 if size < 1 << 16 else 4
    return bytes((0x79 if width == 2 else 0x7A,)) + size.to_bytes(width)  # noqa: PLR2004 - bytes
