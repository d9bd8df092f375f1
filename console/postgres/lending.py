"""Lends a pool's connections to requests, which wait for no longer than they may."""

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Self

import psycopg
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from console import patience
from console.postgres.outage import DatabaseAway, Outage
from monitoring.instruments import POOL_WAIT
from monitoring.samples import Sample
from validation.timeouts import SessionTimeouts

# PgBouncer takes every connection, and ends one that got no server in time (query_wait_timeout).
_UNSERVED: Final = "08P01"

type Connections = ConnectionPool[psycopg.Connection[Any]]


class Lender:
    """Of one pool, of this process. Any thread may call it."""

    def __init__(
        self, name: str, timeouts: SessionTimeouts, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.outage = Outage(clock=clock)
        self._name = name
        self._timeouts = timeouts
        self._clock = clock
        self._pool: Connections | None = None
        self._lent: set[int] = set()
        # The newest that was tried got no server: there is a PgBouncer, and no Postgres behind it.
        self._is_unserved = False

    def lend(self, pool: Connections) -> psycopg.Connection[Any]:
        """Raises DatabaseAway, and PoolTimeout or TooManyRequests where all are taken."""
        self.watch(pool)
        began = self._clock()
        try:
            self.outage.wait(began + patience.left_s())
            connection = self._sound(pool, began + patience.left_s())
        except (PoolTimeout, TooManyRequests) as exc:
            if self.outage.lasts_s is None and not self._is_unserved:
                raise
            raise DatabaseAway("Postgres does not answer.") from exc
        finally:
            POOL_WAIT.labels(self._name).observe(self._clock() - began)
        self.outage.end(self._name)
        self._lent.add(id(connection))
        return connection

    def watch(self, pool: Connections) -> None:
        """Tells of this one from now on."""
        self._pool = pool

    def taken_back(self, connection: psycopg.Connection[Any] | None) -> None:
        self._lent.discard(id(connection))

    def samples(self) -> tuple[Sample, ...]:
        """Nothing until the pool is open."""
        pool = self._pool
        if pool is None or pool.closed:
            return ()
        stats = pool.get_stats()
        return (
            self._sample("connections", len(self._lent), state="used"),
            self._sample("connections", stats["pool_available"], state="idle"),
            self._sample("connections_max", stats["pool_max"]),
            self._sample("waiting", stats["requests_waiting"]),
        )

    def _sample(self, name: str, value: float, **labels: str) -> Sample:
        return Sample(f"switchyard_pool_{name}", {"pool": self._name, **labels}, value)

    def _sound(self, pool: Connections, deadline: float) -> psycopg.Connection[Any]:
        """After a restart of Postgres all that were idle are broken: each is tried, none waits for
        another, as they would with the pool's own check.
        """
        while True:
            connection = pool.getconn(timeout=max(deadline - self._clock(), 0.0))
            try:
                if self._answers(connection):
                    return connection
            except BaseException:
                pool.putconn(connection)
                raise
            pool.putconn(connection)

    def _answers(self, connection: psycopg.Connection[Any]) -> bool:
        try:
            connection.autocommit = True
            if not self._timeouts.obey(connection):
                connection.execute("")
        except psycopg.OperationalError as exc:
            self._is_unserved = exc.sqlstate == _UNSERVED
            if not connection.closed:
                raise
            return False
        self._is_unserved = False
        return True


# The name of its pool, in metrics and on pages.
PRIMARY: Final = "db.primary"
TIMEOUTS: Final = SessionTimeouts()
_lenders: dict[str, Lender] = {}


def lender_of(pool: str) -> Lender:
    return _lenders.setdefault(pool, Lender(pool, TIMEOUTS))


class Attempt(psycopg.Connection[Any]):
    """A connection of a pool, which makes it in a thread that does nothing else meanwhile."""

    @classmethod
    def connect(cls, *arguments: Any, **options: Any) -> Self:
        _began.at = time.monotonic()
        return super().connect(*arguments, **options)


_began = threading.local()


def lost(pool: Connections) -> None:
    """What the pool calls when it could not connect: in the thread that tried."""
    lender_of(pool.name).outage.begin(pool, _began.at)


def away_s() -> float | None:
    """For how long the primary has been missed; None: it is not. A replica that is away is missed
    by nobody: reads go elsewhere.
    """
    return lender_of(PRIMARY).outage.lasts_s


def lenders() -> tuple[Lender, ...]:
    return tuple(_lenders.values())


def samples() -> tuple[Sample, ...]:
    """Of all pools of this process."""
    return tuple(sample for lender in lenders() for sample in lender.samples())
