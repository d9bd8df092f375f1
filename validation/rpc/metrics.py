"""The client's metrics, counted once a batch: finding a child by its labels costs ten counts."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from prometheus_client import Counter as PromCounter
from prometheus_client import Histogram

from monitoring import instruments

CANCELLED = "cancelled"
"""The outcome of calls that were sent, and that nobody waited for any more."""
_MAX_CHILDREN = 2000
_MAX_POOLS = 64
_OTHER = "other"


class RpcMetrics:
    """Children of this process's instruments, each found once."""

    __slots__ = ("_durations", "_pool_waits", "_requests", "_retries")

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], PromCounter] = {}
        self._durations: dict[str, Histogram] = {}
        self._retries: dict[str, PromCounter] = {}
        self._pool_waits: dict[str, Histogram] = {}

    def sent(self, pool: str, calls: int, waited_s: float, *, requests: int = 1) -> None:
        """A batch goes out, in so many requests, and waited so long for its place."""
        observe_many(instruments.RPC_BATCH_SIZE, calls // requests, requests)
        child = self._pool_waits.get(pool)
        if child is None:
            # Runs may name nodes of their own, ever new ones.
            known = pool if len(self._pool_waits) < _MAX_POOLS else _OTHER
            child = instruments.POOL_WAIT.labels(known)
            if known is pool:
                self._pool_waits[pool] = child
        observe_many(child, waited_s, 1)

    def back(self, methods: Mapping[str, int], outcome: str, duration_s: float) -> None:
        """These calls came back alike, in one batch."""
        for method, calls in methods.items():
            self._request(method, outcome).inc(calls)
            duration = self._durations.get(method)
            if duration is None:
                duration = instruments.RPC_DURATION.labels(self._known(method))
                self._durations[method] = duration
            observe_many(duration, duration_s, calls)

    def retried(self, reason: str, calls: int) -> None:
        child = self._retries.get(reason)
        if child is None:
            child = self._retries[reason] = instruments.RPC_RETRIES.labels(reason)
        child.inc(calls)

    def _request(self, method: str, outcome: str) -> PromCounter:
        child = self._requests.get((method, outcome))
        if child is None:
            child = instruments.RPC_REQUESTS.labels(self._known(method), outcome)
            self._requests[method, outcome] = child
        return child

    def _known(self, method: str) -> str:
        """Methods are a handful; a caller who makes them up must not fill the memory."""
        return method if len(self._requests) < _MAX_CHILDREN else _OTHER


METRICS = RpcMetrics()
"""One a process, as the registry behind it is."""


def shared(calls: int) -> None:
    instruments.RPC_SHARED.inc(calls)


def observe_many(histogram: Histogram, value: float, count: int) -> None:
    """`count` observations of the same value at half the price of one: the library looks through
    the bounds one by one, and has no such call.
    """
    place = bisect_left(histogram._upper_bounds, value)  # noqa: SLF001 - see above
    histogram._sum.inc(value * count)  # noqa: SLF001 - see above
    histogram._buckets[place].inc(count)  # noqa: SLF001 - see above


def tally(methods: Sequence[tuple[str, ...]]) -> dict[str, int]:
    """How many calls of each method these fetches hold; most batches hold fetches of one kind."""
    first = methods[0]
    if methods.count(first) == len(methods):
        if len(first) == 1:
            return {first[0]: len(methods)}
        methods, times = [first], len(methods)
    else:
        times = 1
    counts: dict[str, int] = {}
    for names in methods:
        for name in names:
            counts[name] = counts.get(name, 0) + times
    return counts
