"""How long things took in the last minute, as percentiles, in constant memory."""

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable

_SHORTEST_S = 1e-5
_STEPS_PER_OCTAVE = 4
"""Percentiles are told to a step of 19 %."""
_BOUNDS = [_SHORTEST_S * 2 ** (step / _STEPS_PER_OCTAVE) for step in range(95)]
"""Up to 120 s; what took longer counts as that."""
_SLOTS = 6
_SLOT_S = 10.0
_NONE = array("L", [0]) * (len(_BOUNDS) + 1)


class RecentTimes:
    """A ring of histograms with logarithmic buckets, ten seconds each. Reading expires old ones,
    so that what has gone quiet shows nothing. One thread adds; any may read.
    """

    __slots__ = ("_clock", "_ends", "_epochs", "_now", "_slots")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._slots = [_NONE[:] for _ in range(_SLOTS)]
        self._epochs = [-1] * _SLOTS
        self._now = self._slots[0]
        self._ends = float("-inf")

    def add(self, seconds: float, count: int = 1) -> None:
        now = self._clock()
        if now >= self._ends:
            self._roll(now)
        self._now[bisect_left(_BOUNDS, seconds)] += count

    def quantiles(self, *shares: float) -> tuple[float, ...] | None:
        """The seconds within which each of these shares stayed; None where nothing was timed."""
        buckets = self._merged()
        total = sum(buckets)
        if not total:
            return None
        return tuple(_quantile(buckets, max(1, math.ceil(total * share))) for share in shares)

    def count(self) -> int:
        return sum(self._merged())

    def _roll(self, now: float) -> None:
        epoch = int(now / _SLOT_S)
        place = epoch % _SLOTS
        self._now = self._slots[place] = _NONE[:]
        self._epochs[place] = epoch
        self._ends = (epoch + 1) * _SLOT_S

    def _merged(self) -> list[int]:
        now = int(self._clock() / _SLOT_S)
        live = [
            slot
            for slot, epoch in zip(self._slots, self._epochs, strict=True)
            if now - _SLOTS < epoch <= now
        ]
        return [sum(counts) for counts in zip(*live, strict=True)] if live else []


def _quantile(buckets: list[int], rank: int) -> float:
    seen = 0
    for step, count in enumerate(buckets):
        seen += count
        if seen >= rank:
            # The middle of the bucket, on its own scale.
            return _SHORTEST_S * math.pow(2.0, (step - 0.5) / _STEPS_PER_OCTAVE)
    return _BOUNDS[-1]
