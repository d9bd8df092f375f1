"""Whether Postgres is away, since when, and the looks by which its return is noticed."""

import threading
import time
from collections.abc import Callable
from typing import Final, Protocol

import psycopg
import structlog

LOOK_EVERY_S: Final = 0.1
# A restart takes about so long, and a request may wait for it.
_SHORT_S: Final = 2.0

log = structlog.get_logger(__name__)

type Later = Callable[[float, Callable[[], None]], None]


class DatabaseAway(psycopg.OperationalError):
    """Postgres has not answered for a while, and did nor at the last look."""


class Pool(Protocol):
    """As much of `psycopg_pool.ConnectionPool` as a look needs."""

    name: str

    @property
    def closed(self) -> bool: ...
    def check(self) -> None:
        """Looks after what is open, and opens one more where there is none."""


class Outage:
    """Of one pool. Begins with the first connection that cannot be made, ends with one that was."""

    def __init__(
        self, *, clock: Callable[[], float] = time.monotonic, later: Later | None = None
    ) -> None:
        self._clock = clock
        self._later = later or _later
        self._news = threading.Condition()
        self._began: float | None = None
        self._is_looking = False
        # When the newest that found nobody began.
        self._missed = float("-inf")

    @property
    def lasts_s(self) -> float | None:
        """None: there is none."""
        began = self._began
        return None if began is None else self._clock() - began

    def wait(self, until: float) -> None:
        """Returns where the pool is worth asking: at once, or when the outage ends meanwhile.

        Raises DatabaseAway when an attempt has failed that began after the call, and `until` at
        the latest: what comes after the return of Postgres is refused by nothing older.
        """
        came = self._clock()
        with self._news:
            while (self.lasts_s or 0.0) >= _SHORT_S:
                left_s = until - self._clock()
                if self._missed >= came or left_s <= 0:
                    raise DatabaseAway("Postgres does not answer.")
                self._news.wait(left_s)

    def begin(self, pool: Pool, tried: float) -> None:
        """A connection could not be made, by an attempt that began at `tried`: of the
        pool's own, or of a look. The one of several that fails last may be an old one.
        """
        with self._news:
            is_new = self._began is None
            if self._began is None:
                self._began = self._clock()
            self._missed = max(self._missed, tried)
            looks, self._is_looking = not self._is_looking, True
            self._news.notify_all()
        if is_new:
            log.warning("database.away", pool=pool.name)
        if looks:
            self._later(LOOK_EVERY_S, lambda: self._look(pool))

    def end(self, name: str) -> None:
        """A connection was made, or answered."""
        if self._began is None:
            return
        with self._news:
            lasted_s, self._began = self.lasts_s, None
            self._news.notify_all()
        if lasted_s is not None:
            log.info("database.back", pool=name, away_s=round(lasted_s, 1))

    def _look(self, pool: Pool) -> None:
        """Where it fails the pool says so, `begin` hears it, and there is another one."""
        with self._news:
            self._is_looking = False
        if not pool.closed:
            pool.check()


def _later(seconds: float, look: Callable[[], None]) -> None:
    timer = threading.Timer(seconds, look)
    timer.name, timer.daemon = "database-look", True
    timer.start()
