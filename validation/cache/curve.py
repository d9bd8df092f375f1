"""What hit rate L1 would have at other sizes, from a sample of live traffic.

SHARDS (FAST '15) with a fixed number of keys: a key is followed if its hash lies below a threshold,
which falls whenever more keys than that are followed. How many other followed keys came between two
look-ups of one of them, scaled up, tells from which size on an LRU cache would have answered the
second. Expiry is not foreseen, so the curve is what size alone could give.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Final

_LOWEST: Final = -(1 << 63)
_SPACE: Final = 1 << 64
"""Hashes are of 64 bits with a sign: most keys cost one comparison with such a number."""
_START: Final = _LOWEST + _SPACE // 4
"""Following one key in four leaves most look-ups alone. Which ones those are is another matter in
each process, as hashes are: of 120, none told a hit rate that was more than 0.04 off. With half as
many followed, at times it was 0.07.
"""
_STEP: Final = 1.08
"""Sizes told apart differ by so much."""
_LARGEST: Final = 10_000_000
_SHOWN: Final = tuple(n * 10**power for power in range(2, 6) for n in (1, 2, 3, 5, 7))
_LEAST: Final = 50
"""Followed look-ups below which nothing is said."""


def _sizes() -> list[int]:
    sizes = [1]
    while sizes[-1] < _LARGEST:
        sizes.append(max(sizes[-1] + 1, int(sizes[-1] * _STEP)))
    return sizes


class MissRatioCurve:
    """Keeps at most `max_keys` keys and a few hundred numbers, however long it runs.

    Once twice `memory` look-ups were followed, those so far count for half, so that the curve keeps
    up with the traffic. `lookups`, where given, tells how many there have been in all: whether the
    sample happens to hold the most wanted keys is then corrected for.
    """

    def __init__(
        self,
        *,
        max_keys: int = 4_096,
        memory: int = 100_000,
        lookups: Callable[[], int] | None = None,
    ) -> None:
        self._threshold = _START
        self._max_keys = max_keys
        self._memory = memory
        self._lookups = lookups
        self._seen = 0 if lookups is None else lookups()
        # The tick of each followed key's last look-up, and all those ticks in order.
        self._last: dict[bytes, int] = {}
        self._ticks: list[int] = []
        self._tick = 0
        # How many look-ups needed a cache of at least the size of that index; all of them; and how
        # many of them there should have been.
        self._sizes = _sizes()
        self._needed = [0.0] * (len(self._sizes) + 1)
        self._total = 0.0
        self._expected = 0.0
        self.sampled = 0
        """Look-ups that were followed, since the start."""

    @property
    def rate(self) -> float:
        """The share of keys that is followed."""
        return (self._threshold - _LOWEST) / _SPACE

    def touch(self, key: bytes) -> None:
        """One look-up of the key, whatever came of it."""
        if hash(key) < self._threshold:
            self._follow(key)

    def hit_rate(self, size: int) -> float | None:
        """The share of look-ups that so many entries would have answered; None: too few to say."""
        points = self.points((size,))
        return points[0][1] if points else None

    def points(self, sizes: Sequence[int] = _SHOWN) -> list[tuple[int, float]]:
        """Entries and hit rate, for each of the sizes; nothing where too little was seen."""
        if self.sampled < _LEAST:
            return []
        self._count()
        # What the sample is short of, or has too much of, are look-ups of the few keys that
        # everybody wants, which any size would answer.
        amiss = self._expected - self._total if self._lookups else 0.0
        sums = list(accumulate(self._needed, initial=amiss))
        total = max(self._total + amiss, 1.0)
        return [
            (size, min(max(sums[bisect_right(self._sizes, size)] / total, 0.0), 1.0))
            for size in sizes
        ]

    def _follow(self, key: bytes) -> None:
        self.sampled += 1
        self._total += 1
        ticks = self._ticks
        last = self._last.get(key)
        if last is not None:
            place = bisect_left(ticks, last)
            needed = (len(ticks) - place) / self.rate
            self._needed[bisect_left(self._sizes, needed)] += 1
            del ticks[place]
        self._tick += 1
        self._last[key] = self._tick
        ticks.append(self._tick)
        if len(ticks) > self._max_keys:
            self._follow_fewer()
        if self._total >= 2 * self._memory:
            self._scale(0.5)

    def _follow_fewer(self) -> None:
        """Lowers the threshold so far that half of the keys are left."""
        self._count()
        places = sorted(map(hash, self._last))
        before = self.rate
        self._threshold = places[len(places) // 2]
        self._last = {key: tick for key, tick in self._last.items() if hash(key) < self._threshold}
        self._ticks = sorted(self._last.values())
        # What was counted at the higher rate shall weigh as if it had been at the lower one.
        self._scale(self.rate / before)

    def _scale(self, factor: float) -> None:
        self._count()
        self._needed = [count * factor for count in self._needed]
        self._total *= factor
        self._expected *= factor

    def _count(self) -> None:
        """Brings up to date how many look-ups should have been followed."""
        if self._lookups is not None:
            seen = self._lookups()
            self._expected += (seen - self._seen) * self.rate
            self._seen = seen
