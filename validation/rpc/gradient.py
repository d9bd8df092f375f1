"""The adaptive limiter: as many calls as the node takes before its answers get slower.

A gradient of latency, as in Netflix's concurrency-limits and failsafe-go, without three faults of
that family: a limit that nobody uses does not grow; the shortest time ever seen is measured again
now and then with few calls out, so that neither a changed network nor a lasting overload leaves it
wrong; and batches are compared with batches of their own size.
"""

import math
from collections.abc import Callable
from random import Random

_LOWEST = 4
_HEADROOM = 4
"""The limit may grow to this many times the share: it is bounded all the same."""
_TOLERANCE = 1.5
"""Answers may take this much longer than the shortest before the limit shrinks."""
_SMOOTHING = 0.3
_STEEPEST = 0.5
_WINDOW_S = 0.1
_WINDOW_BATCHES = 10
_REMEASURE_S = 30.0
_REMEASURE_AT_MOST_S = 1.0
_REMEASURE_SHARE = 4
_USED = 0.5


class GradientLimit:
    """`limit` follows latency between 4 calls and four times the share; drops halve it."""

    __slots__ = (
        "_clock",
        "_deaf_until",
        "_estimate",
        "_fresh",
        "_measure_at",
        "_measure_until",
        "_random",
        "_shortest",
        "_window",
        "limit",
        "limit_max",
    )

    def __init__(
        self, share: int, *, clock: Callable[[], float], random: Random | None = None
    ) -> None:
        self._clock = clock
        self._random = random or Random()  # noqa: S311 - spreads processes, keeps no secret
        self._shortest: dict[int, float] = {}
        self._fresh: dict[int, float] = {}
        self._deaf_until = 0.0
        self._measure_until = 0.0
        self._measure_at = clock() + self._until_next()
        self._window = _Window(clock())
        self._estimate = float(share)
        self.limit = share
        self.limit_max = share * _HEADROOM

    def observe(self, rtt_s: float, in_flight: int, dropped: bool, *, calls: int = 1) -> None:
        now = self._clock()
        if dropped:
            self._drop(now, rtt_s)
            return
        size = calls.bit_length()
        if self._measure_until:
            self._measure(now, size, rtt_s, in_flight)
            return
        shortest = min(self._shortest.get(size, rtt_s), rtt_s)
        self._shortest[size] = shortest
        window = self._window
        window.add(shortest / rtt_s if rtt_s > 0 else 1.0, in_flight)
        if window.batches >= _WINDOW_BATCHES and now - window.since >= _WINDOW_S:
            self._adjust(window)
            self._window = _Window(now)
            if now >= self._measure_at:
                self._start_measuring(now)

    def resize(self, share: int) -> None:
        """The node's capacity is shared by another number of processes: so is what was learnt."""
        factor = share * _HEADROOM / self.limit_max
        self.limit_max = share * _HEADROOM
        self._set(self._estimate * factor)

    def _adjust(self, window: "_Window") -> None:
        if window.most_in_flight < self._estimate * _USED:
            return  # whatever the latency was, it was not for this limit
        gradient = min(1.0, max(_STEEPEST, _TOLERANCE * window.ratio))
        wanted = self._estimate * gradient + math.sqrt(self._estimate)
        self._set(self._estimate + (wanted - self._estimate) * _SMOOTHING)

    def _drop(self, now: float, rtt_s: float) -> None:
        """Halves, once for all that was out at the time."""
        self._window = _Window(now)
        if now >= self._deaf_until:
            self._deaf_until = now + max(rtt_s, _WINDOW_S)
            self._set(self._estimate / 2)

    def _set(self, estimate: float) -> None:
        lowest = min(_LOWEST, self.limit_max)
        self._estimate = min(max(estimate, float(lowest)), float(self.limit_max))
        if not self._measure_until:
            self.limit = int(self._estimate)

    def _start_measuring(self, now: float) -> None:
        self._measure_until = now + _REMEASURE_AT_MOST_S
        self._fresh = {}
        self._window = _Window(now)
        self.limit = max(min(_LOWEST, self.limit_max), int(self._estimate) // _REMEASURE_SHARE)

    def _measure(self, now: float, size: int, rtt_s: float, in_flight: int) -> None:
        """Notes what comes back while few calls are out; those sent before the measuring queued
        behind more and tell nothing.
        """
        window = self._window
        if in_flight <= self.limit:
            self._fresh[size] = min(self._fresh.get(size, rtt_s), rtt_s)
            window.add(1.0, in_flight)
        if window.batches >= _WINDOW_BATCHES or now >= self._measure_until:
            self._finish_measuring(now)

    def _finish_measuring(self, now: float) -> None:
        """What was measured replaces what was known; sizes not met change by the same factor."""
        known = self._shortest
        changes = sorted(self._fresh[size] / known[size] for size in self._fresh if size in known)
        factor = changes[len(changes) // 2] if changes else 1.0
        self._shortest = {size: rtt * factor for size, rtt in known.items()} | self._fresh
        self._measure_until = 0.0
        self._measure_at = now + self._until_next()
        self._window = _Window(now)
        self._set(self._estimate)

    def _until_next(self) -> float:
        return _REMEASURE_S * self._random.uniform(0.8, 1.2)


class _Window:
    """What came back since the limit was last looked at."""

    __slots__ = ("_ratios", "batches", "most_in_flight", "since")

    def __init__(self, since: float) -> None:
        self.since = since
        self.batches = 0
        self.most_in_flight = 0
        self._ratios = 0.0

    def add(self, ratio: float, in_flight: int) -> None:
        self.batches += 1
        self._ratios += ratio
        self.most_in_flight = max(self.most_in_flight, in_flight)

    @property
    def ratio(self) -> float:
        """The shortest time over the time taken, on average: 1 is as fast as ever."""
        return self._ratios / self.batches
