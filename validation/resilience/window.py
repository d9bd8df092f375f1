"""What a breaker remembers of its calls: windows by time and by count, in constant memory.

A window is written by one thread and may be read by others. Reading never changes it, and leaves
out what is too old: an idle breaker shows no stale rate.
"""

from array import array
from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, Protocol

from validation.resilience.permits import NEVER, Permit

_NOTE: Final = 256
"""About how many good calls may be noted before they are counted in, at the rate of late."""
_OPEN_S: Final = 0.1
"""And for how long at most: what one thread can do in this time bounds the note, come what may."""
_SAMPLES: Final = 64
"""Durations kept of each slice: its latest."""
_SAMPLES_A_NOTE: Final = 16
_LISTED: Final = 1000
_FAILED: Final = 1
_SLOW: Final = 2

type Weighted = tuple[float, float]
"""A duration and how many calls it stands for."""


class Counts(NamedTuple):
    calls: int
    failures: int
    slow: int


class Window(Permit):
    """The interface. Each closed spell of a breaker has a window of its own, which is the permit
    of all who are let in: one who comes back later is known to speak of the past.
    """

    __slots__ = ("_good", "_good_taken", "_noted", "ends", "keep", "run", "slow_s")

    def __init__(self, *, slow_s: float) -> None:
        self.slow_s = slow_s
        self.ends = NEVER
        self.run = 0
        """Failures in a row, now."""
        self._noted: list[float] = []
        self.keep = self._noted.append
        self._good = self._good_taken = 0

    def take_good(self) -> int:
        """Calls that were neither slow nor failures, and were not told here before."""
        good = self._good + len(self._noted)
        new, self._good_taken = good - self._good_taken, good
        return new

    @property
    def may_open_until(self) -> float:
        """Until when the breaker may open the window (`Permit.ends`), if all is well."""
        return NEVER

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
    samples: "array[float]"


class TimeWindow(Window):
    """The last `window_s` seconds, in a ring of slices that expire one at a time: between all and
    all but one of them are counted.
    """

    __slots__ = (
        "_calls",
        "_epoch",
        "_failures",
        "_kept",
        "_may_open_until",
        "_noted_since",
        "_ring",
        "_samples",
        "_slow",
        "_width_s",
    )

    def __init__(self, *, window_s: float, buckets: int, slow_s: float) -> None:
        super().__init__(slow_s=slow_s)
        self._width_s = window_s / buckets
        self._ring: list[_Slice | None] = [None] * buckets
        self._kept = Counts(0, 0, 0)
        self._may_open_until = self._noted_since = NEVER
        self._epoch = -1
        self._calls = self._failures = self._slow = 0
        self._samples: deque[float] = deque(maxlen=_SAMPLES)

    @property
    def may_open_until(self) -> float:
        return self._may_open_until

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        is_one_of_many = len(self._noted) >= _SAMPLES_A_NOTE
        open_s = self._count_noted(now)
        epoch = self._epoch_at(now)
        if epoch != self._epoch:
            self._roll(epoch)
        self._may_open_until = min(now + open_s, (epoch + 1) * self._width_s)
        self._calls += 1
        self._failures += failed
        self._slow += slow
        self._good += not (failed or slow)
        if not is_one_of_many:
            # A call that ends a note is likelier a long one: it would not be a fair sample.
            self._samples.append(duration_s)
        self._count_run(failed=failed)
        return self._add_open(self._kept)

    def counts(self, now: float) -> Counts:
        epoch = self._epoch_at(now)
        counts = self._sum_ring(epoch)
        return self._add_open(counts) if self._epoch > epoch - len(self._ring) else counts

    def latencies(self, now: float) -> list[Weighted]:
        oldest = self._epoch_at(now) - len(self._ring) + 1
        slices = [(s.calls, s.samples) for s in self._ring if s is not None and s.epoch >= oldest]
        if self._epoch >= oldest:
            samples = array("f", (*self._samples, *_spread(self._noted, 0)))
            slices.append((self._calls + len(self._noted), samples))
        return [(d, calls / len(samples)) for calls, samples in slices for d in samples]

    def _epoch_at(self, now: float) -> int:
        return max(int(now // self._width_s), self._epoch)

    def _add_open(self, counts: Counts) -> Counts:
        calls, failures, slow = counts
        calls += self._calls + len(self._noted)
        return Counts(calls, failures + self._failures, slow + self._slow)

    def _sum_ring(self, epoch: int) -> Counts:
        oldest = epoch - len(self._ring) + 1
        calls = failures = slow = 0
        for each in self._ring:
            if each is not None and each.epoch >= oldest:
                calls += each.calls
                failures += each.failures
                slow += each.slow
        return Counts(calls, failures, slow)

    def _count_noted(self, now: float) -> float:
        """What was noted belongs to the slice that is open: a note ends with it. Tells for how long
        the next may be.
        """
        noted, since, self._noted_since = self._noted, self._noted_since, now
        count = len(noted)
        if not count:
            return _OPEN_S
        self._samples.extend(_spread(noted, self._calls))
        self._calls += count
        self._good += count
        del noted[:count]  # not all of them: another thread may just have added one
        return min(_OPEN_S, (now - since) * _NOTE / count)

    def _roll(self, epoch: int) -> None:
        """Closes the open slice and opens another."""
        if self._calls:
            samples = array("f", self._samples)
            closed = _Slice(self._epoch, self._calls, self._failures, self._slow, samples)
            self._ring[self._epoch % len(self._ring)] = closed
        self._samples.clear()
        self._calls = self._failures = self._slow = 0
        self._epoch = epoch
        self._kept = self._sum_ring(epoch)


def _spread(noted: list[float], turn: int) -> list[float]:
    """A few of them, evenly, starting elsewhere at each turn. All would cost more than counting."""
    stride = max(1, -(-len(noted) // _SAMPLES_A_NOTE))
    return noted[turn % stride :: stride]


class CountWindow(Window):
    """The last `size` calls, but none once `window_s` passed without any: silence is no record."""

    __slots__ = ("_at", "_calls", "_codes", "_durations", "_failures", "_idle_s", "_slow")

    def __init__(self, *, size: int, idle_s: float, slow_s: float) -> None:
        super().__init__(slow_s=slow_s)
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
        self._good += not (failed or slow)
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
    """The baseline: lists that grow with every call, cut to their last half once they are full, and
    summed at each. Of a busy window they know the latest calls only.
    """

    __slots__ = ("_at", "_durations", "_failed", "_slow", "_window_s")

    def __init__(self, *, window_s: float, slow_s: float) -> None:
        super().__init__(slow_s=slow_s)
        self._window_s = window_s
        self._at: list[float] = []
        self._failed: list[bool] = []
        self._slow: list[bool] = []
        self._durations: list[float] = []

    def record(self, *, failed: bool, slow: bool, duration_s: float, now: float) -> Counts:
        self._at.append(now)
        self._failed.append(failed)
        self._slow.append(slow)
        self._durations.append(duration_s)
        if len(self._at) > _LISTED:
            for kept in (self._at, self._failed, self._slow, self._durations):
                del kept[: -_LISTED // 2]
        self._good += not (failed or slow)
        self._count_run(failed=failed)
        return self.counts(now)

    def counts(self, now: float) -> Counts:
        first = self._first(now)
        failures, slow = sum(self._failed[first:]), sum(self._slow[first:])
        return Counts(len(self._at) - first, failures, slow)

    def latencies(self, now: float) -> list[Weighted]:
        return [(duration, 1.0) for duration in self._durations[self._first(now) :]]

    def _first(self, now: float) -> int:
        """The place of the first call that still counts."""
        return bisect_right(self._at, now - self._window_s)


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


class Shape(Protocol):
    """What a window needs to know of a `BreakerConfig`."""

    @property
    def window_s(self) -> float: ...
    @property
    def buckets(self) -> int: ...
    @property
    def window_size(self) -> int: ...
    @property
    def slow_s(self) -> float: ...


WINDOWS: Final[Mapping[str, Callable[[Shape], Window]]] = {
    "time": lambda shape: TimeWindow(
        window_s=shape.window_s, buckets=shape.buckets, slow_s=shape.slow_s
    ),
    "count": lambda shape: CountWindow(
        size=shape.window_size, idle_s=shape.window_s, slow_s=shape.slow_s
    ),
    "list": lambda shape: ListWindow(window_s=shape.window_s, slow_s=shape.slow_s),
}
"""By the name that a configuration chooses."""
