"""What one node did of late, in constant memory: counts, times, and how it scores."""

from collections import Counter
from collections.abc import Callable

from validation.rpc.counters import NodeCounters
from validation.rpc.recent import RecentTimes

_HALF_LIFE_S = 10.0
_GRAIN_S = 0.5
_SMOOTHING = 0.2
_SPEED_KEPT_S = 60.0
_FEWEST = 20
"""A quantile of fewer times than this is no measure to act on."""


class NodeRecord:
    """Written by the loop's thread; any may read. `score` is told by `scores`."""

    __slots__ = (
        "_at",
        "_bad",
        "_clock",
        "_good",
        "_speeds",
        "counters",
        "head",
        "head_at",
        "head_rtts",
        "hedge_after_s",
        "rtts",
        "score",
        "waits",
        "watch_failures",
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._good = 0.0
        self._bad = 0.0
        self._at = clock()
        self._speeds: dict[int, tuple[float, float]] = {}
        self.counters = NodeCounters()
        self.waits = RecentTimes(clock)
        self.rtts = RecentTimes(clock)
        self.score: float | None = None
        self.hedge_after_s: float | None = None
        self.head: int | None = None
        """The newest block that it told when it was last asked for that, at `head_at`."""
        self.head_at = 0.0
        self.head_rtts = RecentTimes(clock)
        self.watch_failures: Counter[str] = Counter()

    def watched(self, head: int, rtt_s: float) -> None:
        self.head, self.head_at = head, self._clock()
        self.head_rtts.add(rtt_s)

    def watched_in_vain(self, reason: str, *, forget: bool) -> None:
        """`forget`: what it told before is of another chain."""
        self.watch_failures[reason] += 1
        if forget:
            self.head = None

    def head_age_s(self) -> float | None:
        return None if self.head is None else max(0.0, self._clock() - self.head_at)

    def answered(self, rtt_s: float, calls: int) -> None:
        self.rtts.add(rtt_s)
        self._fade()
        self._good += 1
        size = calls.bit_length()
        known = self._speeds.get(size)
        smooth = rtt_s if known is None else known[0] + (rtt_s - known[0]) * _SMOOTHING
        self._speeds[size] = (smooth, self._clock())

    def speeds(self) -> dict[int, float]:
        """Seconds that a batch took of late, by its size in powers of two: a node that was asked
        much at once is not slower for that than one that was asked little.
        """
        since = self._clock() - _SPEED_KEPT_S
        return {size: seconds for size, (seconds, at) in self._speeds.items() if at > since}

    def failed(self) -> None:
        self._fade()
        self._bad += 1

    def failing(self) -> float:
        """The share of late batches that the node failed; each counts half after ten seconds, so
        that silence is forgotten.
        """
        self._fade()
        return self._bad / (self._good + self._bad + 1)

    def forgive(self) -> None:
        """A breaker keeps calls away by now: once it lets them back, that shall not be held
        against the node twice, and its times of before mean little.
        """
        self._bad = 0.0
        self._speeds.clear()

    def set_hedge_delay(self, quantile: float | None) -> None:
        if quantile is None or self.rtts.count() < _FEWEST:
            self.hedge_after_s = None
            return
        found = self.rtts.quantiles(quantile)
        self.hedge_after_s = found[0] if found else None

    def _fade(self) -> None:
        now = self._clock()
        if now - self._at < _GRAIN_S:
            return
        factor = 0.5 ** ((now - self._at) / _HALF_LIFE_S)
        self._good *= factor
        self._bad *= factor
        self._at = now
