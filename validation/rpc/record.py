"""What one node did of late, in constant memory: counts, times, and how it scores."""

from collections.abc import Callable

from validation.rpc.counters import NodeCounters
from validation.rpc.recent import RecentTimes

_HALF_LIFE_S = 10.0
_GRAIN_S = 0.5
_FEWEST = 20
"""A quantile of fewer times than this is no measure to act on."""


class NodeRecord:
    """Written by the loop's thread; any may read. `score` is told by `scores`."""

    __slots__ = (
        "_at",
        "_bad",
        "_clock",
        "_good",
        "counters",
        "hedge_after_s",
        "rtts",
        "score",
        "waits",
    )

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._good = 0.0
        self._bad = 0.0
        self._at = clock()
        self.counters = NodeCounters()
        self.waits = RecentTimes(clock)
        self.rtts = RecentTimes(clock)
        self.score: float | None = None
        self.hedge_after_s: float | None = None

    def answered(self, rtt_s: float) -> None:
        self.rtts.add(rtt_s)
        self._fade()
        self._good += 1

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
        against the node twice.
        """
        self._bad = 0.0

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
