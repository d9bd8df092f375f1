"""What a breaker remembers of its calls: windows by time and by count, in constant memory.

A window is written by one thread and may be read by others. Reading never changes it, and leaves
out what is too old: an idle breaker shows no stale rate.
"""

from array import array
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

SAMPLES: Final = 32
"""Durations kept of each slice of a time window: its latest. A power of two."""

_MASK: Final = SAMPLES - 1
_NONE: Final = -1.0
_FAILED: Final = 1
_SLOW: Final = 2

type Weighted = tuple[float, float]
"""A duration and how many calls it stands for."""


class Counts(NamedTuple):
    calls: int
    failures: int
    slow: int


class Window:
    """The interface, and the open slice that a breaker may write to without asking: until `ends`,
    on the breaker's clock, a call that was neither slow nor a failure is one more in `good`, its
    duration stored in `samples[good & (SAMPLES - 1)]`. A window without slices ends in the past.
    """

    __slots__ = ("_good_before", "ends", "good", "run", "samples")

    def __init__(self) -> None:
        self.ends = float("-inf")
        self.good = 0
        self.run = 0
        """Failures in a row, now."""
        self.samples: list[float] = []
        self._good_before = 0

    @property
    def good_total(self) -> int:
        """Calls that were neither slow nor failures since the window was made."""
        return self._good_before + self.good

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        """Takes in one call and tells the window's counts after it."""
        raise NotImplementedError

    def counts(self, now: float) -> Counts:
        raise NotImplementedError

    def latencies(self, now: float) -> list[Weighted]:
        """A sample of the durations in the window, in no order."""
        raise NotImplementedError

    def _count_run(self, *, failed: bool) -> None:
        self.run = self.run + 1 if failed else 0


class _Slice(NamedTuple):
    """One closed slice of a time window."""

    epoch: int
    calls: int
    failures: int
    slow: int
    durations: "array[float]"


class TimeWindow(Window):
    """The last `window_s` seconds, in a ring of slices that expire one at a time: between all and
    all but one of them are counted.
    """

    __slots__ = ("_bad", "_epoch", "_failures", "_kept", "_ring", "_slow", "_width_s")

    def __init__(self, *, window_s: float, buckets: int) -> None:
        super().__init__()
        self._width_s = window_s / buckets
        # A breaker whose calls are few needs no room for the slices that it has not had.
        self._ring: list[_Slice | None] = [None] * buckets
        self._epoch = -1
        self._bad = self._failures = self._slow = 0
        self._kept = Counts(0, 0, 0)

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        if now >= self.ends:
            self._roll(now)
        if failed or slow:
            self._bad += 1
            self._failures += failed
            self._slow += slow
        else:
            self.good += 1
        self.samples[(self.good + self._bad) & _MASK] = duration_s
        self._count_run(failed=failed)
        return self._add_open(self._kept)

    def counts(self, now: float) -> Counts:
        epoch = self._epoch_at(now)
        counts = self._sum_ring(epoch)
        return self._add_open(counts) if self._epoch > epoch - len(self._ring) else counts

    def latencies(self, now: float) -> list[Weighted]:
        oldest = self._epoch_at(now) - len(self._ring) + 1
        found: list[Weighted] = []
        for each in tuple(self._ring):
            if each is not None and each.epoch >= oldest and each.durations:
                found.extend((d, each.calls / len(each.durations)) for d in each.durations)
        durations = [d for d in tuple(self.samples) if d >= 0]
        if durations and self._epoch >= oldest:
            weight = (self.good + self._bad) / len(durations)
            found.extend((d, weight) for d in durations)
        return found

    def _epoch_at(self, now: float) -> int:
        return max(int(now // self._width_s), self._epoch)

    def _add_open(self, counts: Counts) -> Counts:
        calls, failures, slow = counts
        return Counts(calls + self.good + self._bad, failures + self._failures, slow + self._slow)

    def _sum_ring(self, epoch: int) -> Counts:
        oldest = epoch - len(self._ring) + 1
        calls = failures = slow = 0
        for each in self._ring:
            if each is not None and each.epoch >= oldest:
                calls += each.calls
                failures += each.failures
                slow += each.slow
        return Counts(calls, failures, slow)

    def _roll(self, now: float) -> None:
        """Closes the open slice and opens that of `now`."""
        epoch = self._epoch_at(now)
        self.ends = (epoch + 1) * self._width_s
        if epoch == self._epoch:
            return
        calls = self.good + self._bad
        if calls:
            durations = array("f", (d for d in self.samples if d >= 0))
            closed = _Slice(self._epoch, calls, self._failures, self._slow, durations)
            self._ring[self._epoch % len(self._ring)] = closed
        self._good_before += self.good
        self.samples = [_NONE] * SAMPLES
        self.good = self._bad = self._failures = self._slow = 0
        self._epoch = epoch
        self._kept = self._sum_ring(epoch)


class CountWindow(Window):
    """The last `size` calls, but none once `window_s` passed without any: silence is no record."""

    __slots__ = ("_at", "_calls", "_codes", "_durations", "_failures", "_idle_s", "_slow")

    def __init__(self, *, size: int, idle_s: float) -> None:
        super().__init__()
        self._codes = bytearray(size)
        self._durations = array("f", bytes(4 * size))
        self._idle_s = idle_s
        self._at = float("-inf")
        self._forget()

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        if self._is_stale(now):
            self._forget()
        size = len(self._codes)
        place = self._calls % size
        if self._calls >= size:
            left = self._codes[place]
            self._failures -= left & _FAILED
            self._slow -= left >> 1
        self._codes[place] = failed * _FAILED + slow * _SLOW
        self._durations[place] = duration_s
        self._calls += 1
        self._failures += failed
        self._slow += slow
        self._at = now
        self.good += not (failed or slow)
        self._count_run(failed=failed)
        return self.counts(now)

    def counts(self, now: float) -> Counts:
        if self._is_stale(now):
            return Counts(0, 0, 0)
        return Counts(min(self._calls, len(self._codes)), self._failures, self._slow)

    def latencies(self, now: float) -> list[Weighted]:
        return [(d, 1.0) for d in self._durations[: self.counts(now).calls]]

    def _is_stale(self, now: float) -> bool:
        return now - self._at >= self._idle_s

    def _forget(self) -> None:
        self._calls = self._failures = self._slow = 0


class ListWindow(Window):
    """The baseline: a list that grows with every call and is cut when read. Exact, and as large as
    the traffic of `window_s`.
    """

    __slots__ = ("_calls", "_window_s")

    def __init__(self, *, window_s: float) -> None:
        super().__init__()
        self._window_s = window_s
        self._calls: list[tuple[float, bool, bool, float]] = []

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        self._calls = [*self._fresh(now), (now, failed, slow, duration_s)]
        self.good += not (failed or slow)
        self._count_run(failed=failed)
        return self.counts(now)

    def counts(self, now: float) -> Counts:
        fresh = self._fresh(now)
        return Counts(len(fresh), sum(c[1] for c in fresh), sum(c[2] for c in fresh))

    def latencies(self, now: float) -> list[Weighted]:
        return [(call[3], 1.0) for call in self._fresh(now)]

    def _fresh(self, now: float) -> list[tuple[float, bool, bool, float]]:
        return [call for call in self._calls if now - call[0] < self._window_s]


def percentiles(weighted: list[Weighted], shares: tuple[float, ...]) -> tuple[float | None, ...]:
    """For each share, the smallest duration that at least this share of calls did not exceed."""
    if not weighted:
        return (None,) * len(shares)
    weighted = sorted(weighted)
    reached: list[float] = []
    total = 0.0
    for _, weight in weighted:
        total += weight
        reached.append(total)
    last = len(weighted) - 1
    # A hair below the share: sums of weights are not exact.
    places = (bisect_right(reached, share * total * (1 - 1e-9)) for share in shares)
    return tuple(weighted[min(place, last)][0] for place in places)


WINDOWS: Final[Mapping[str, Callable[[float, int, int], Window]]] = {
    "time": lambda window_s, buckets, _: TimeWindow(window_s=window_s, buckets=buckets),
    "count": lambda window_s, _, size: CountWindow(size=size, idle_s=window_s),
    "list": lambda window_s, _, __: ListWindow(window_s=window_s),
}
"""By the name that a configuration chooses: seconds, slices, calls."""
