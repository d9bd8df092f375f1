"""How many calls a minute a token may make, counted in one of three ways (flag `api.quotas`).

`process`: each web process by itself, so N of them grant N times as much. `shared`: on the cache
server at each call, exact, and each call waits for it. `leased`: in this process out of many calls
that were drawn at once from the cache server in the background. A lease that is not back yet is
run ahead of by a second's calls at most (a hundred, where that is more): so many too many may each
process grant in a minute, but never more than the whole rate.

While the cache server cannot be asked, all three count in the process: a token is neither locked
out by an outage nor freed of its limit.
"""

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final, Protocol

import redis
import structlog

from console.access.counting import Counter, Grant, ValkeyCounter

WINDOW_S: Final = 60.0
CHOSEN_EVERY_S: Final = 0.5
_LEAST_AHEAD: Final = 100
# A lease holds a fiftieth of the minute's calls: what a process that falls silent takes with it.
_SHARE: Final = 50
# Keys are tokens, fifty a person at most; what is beyond was not asked for a long time.
_KEYS: Final = 10_000
_AGAIN_S: Final = 1.0

log = structlog.get_logger(__name__)

type Clock = Callable[[], float]


class Quota(Protocol):
    """`blocks`: whether `take` may wait for the cache server."""

    blocks: bool

    def take(self, key: str) -> float | None:
        """The seconds after which to come again; None: granted. Any thread."""
        ...


@dataclass(slots=True)
class _Minute:
    ends: float
    used: int = 0


class InProcess:
    """Each process counts for itself."""

    blocks = False

    def __init__(self, rate: int, clock: Clock = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._minutes: dict[str, _Minute] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> float | None:
        now = self._clock()
        with self._lock:
            minute = self._minutes.get(key)
            if minute is None or now >= minute.ends:
                self._minutes.pop(key, None)  # the youngest stand last
                minute = self._minutes[key] = _Minute(now + WINDOW_S)
                _bound(self._minutes)
            if minute.used >= self._rate:
                return minute.ends - now
            minute.used += 1
            return None


class Shared:
    """The cache server is asked at each call."""

    blocks = True

    def __init__(self, rate: int, counter: Counter, clock: Clock = time.monotonic) -> None:
        self._counter = counter
        self._alone = InProcess(rate, clock)
        self._clock = clock
        self._again_at = -math.inf

    def take(self, key: str) -> float | None:
        if self._clock() < self._again_at:
            return self._alone.take(key)
        try:
            grant = self._counter.draw(key, 1)
        except redis.RedisError:
            # Not each call is to wait a quarter of a second for a server that is gone.
            self._again_at = self._clock() + _AGAIN_S
            return self._alone.take(key)
        return None if grant.calls else grant.ends_in_s


@dataclass(slots=True)
class _Lease:
    ends: float
    granted: int = 0
    used: int = 0
    # Nothing is left of this minute.
    spent: bool = False
    asked: bool = False


class Leased:
    """Calls are drawn many at once. `later` runs the drawing, in its own thread unless told."""

    blocks = False

    def __init__(
        self,
        rate: int,
        counter: Counter,
        clock: Clock = time.monotonic,
        later: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._rate = rate
        self._counter = counter
        self._clock = clock
        self._later = later or _Background()
        self._chunk = max(1, rate // _SHARE)
        self._ahead = max(_LEAST_AHEAD, rate // round(WINDOW_S))
        self._leases: dict[str, _Lease] = {}
        self._lock = threading.Lock()

    def take(self, key: str) -> float | None:
        now = self._clock()
        with self._lock:
            lease = self._leases.get(key)
            if lease is None or now >= lease.ends:
                self._leases.pop(key, None)  # the youngest stand last
                lease = self._leases[key] = _Lease(now + WINDOW_S)
                _bound(self._leases)
            if lease.spent and lease.used >= lease.granted:
                return lease.ends - now
            wait = None
            if lease.used < min(lease.granted + self._ahead, self._rate):
                lease.used += 1
            else:
                wait = _AGAIN_S
            asks = not (lease.asked or lease.spent)
            asks = asks and lease.granted - lease.used < self._chunk // 2 + 1
            lease.asked = lease.asked or asks
        if asks:
            self._later(partial(self._draw, key, lease))
        return wait

    def _draw(self, key: str, lease: _Lease) -> None:
        wanted = max(0, lease.used - lease.granted) + self._chunk
        try:
            self._grant(lease, self._counter.draw(key, wanted))
        except redis.RedisError:
            self._grant_alone(lease, wanted)
        except Exception:
            # Of the log; the token calls on as in an outage.
            self._grant_alone(lease, wanted)
            raise
        finally:
            lease.asked = False

    def _grant(self, lease: _Lease, grant: Grant) -> None:
        with self._lock:
            lease.granted += grant.calls
            lease.ends = self._clock() + grant.ends_in_s
            lease.spent = not grant.calls

    def _grant_alone(self, lease: _Lease, wanted: int) -> None:
        with self._lock:
            left = max(0, self._rate - lease.granted)
            lease.granted += min(wanted, left)
            lease.spent = not left


class _Background:
    """One thread that does what it is given, one after the other; it ends with the process."""

    def __init__(self) -> None:
        self._work: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def __call__(self, work: Callable[[], None]) -> None:
        self._work.put(work)
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="quotas", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            try:
                self._work.get()()
            except Exception:
                # One piece of work; the thread is for all tokens of the process.
                log.exception("quotas.not_drawn")


type Maker = Callable[[int], Quota]

VARIANTS: Final[Mapping[str, Maker]] = {
    "process": InProcess,
    "shared": lambda rate: Shared(rate, ValkeyCounter(rate)),
    "leased": lambda rate: Leased(rate, ValkeyCounter(rate)),
}


class Quotas:
    """The quota of one way in, by the variant that is in force. A change begins a minute anew."""

    def __init__(
        self,
        rate: int,
        chosen: Callable[[], str],
        *,
        variants: Mapping[str, Maker] = VARIANTS,
        clock: Clock = time.monotonic,
    ) -> None:
        self._rate = rate
        self._chosen = chosen
        self._variants = variants
        self._clock = clock
        self._name = ""
        self._quota: Quota = InProcess(rate, clock)
        self._look_at = -math.inf
        self._lock = threading.Lock()

    def take(self, key: str) -> float | None:
        return self.in_force().take(key)

    def in_force(self) -> Quota:
        """Looked up twice a second, not at each call."""
        if self._clock() >= self._look_at:
            self._look()
        return self._quota

    def _look(self) -> None:
        with self._lock:
            self._look_at = self._clock() + CHOSEN_EVERY_S
            name = self._chosen()
            if name != self._name and name in self._variants:
                self._quota = self._variants[name](self._rate)
                self._name = name


def _bound(kept: dict[str, _Minute] | dict[str, _Lease]) -> None:
    if len(kept) > _KEYS:
        del kept[next(iter(kept))]
