"""Numbers of the living processes of a fleet, leased in Postgres: what a stage of processes ranks.

Plain SQL on a psycopg connection, so that a worker leases on the one it has. Where Postgres is
away, the number and the others that lived last go on to hold.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import mmh3
import psycopg
import structlog

log = structlog.get_logger(__name__)

# Silent for so long, and a process counts no more; its number is given to who comes.
LEASE_S: Final = 10.0
BEAT_S: Final = 2.0
# Who waits longer for the others' turn goes without a number until the next beat, and works.
_PATIENCE_MS: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The number of one process, and those of all that live, its own among them."""

    number: int
    living: tuple[int, ...]


def rank(flag_key: str, slot: int, living: Sequence[int]) -> int:
    """The place of `slot` among the living, from 0; in another order for each flag, so that not
    always the same process goes first.
    """
    mine = _order(flag_key, slot)
    return sum(_order(flag_key, other) < mine for other in living if other != slot)


class Slots:
    """The lease of one process. Not for two threads at once."""

    def __init__(
        self, fleet: str, holder: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fleet = fleet
        self._holder = holder
        self._clock = clock
        self._next_beat = 0.0
        self.standing: Standing | None = None

    def beat(self, connection: psycopg.Connection[Any]) -> bool:
        """Renews the lease, or takes the lowest number that is free, when it is time to; True where
        somebody came or went. Raises psycopg's errors. Where another keeps the numbers to itself,
        it is as it was until the next beat.
        """
        now = self._clock()
        if now < self._next_beat:
            return False
        before = self.standing
        try:
            number = self._renew(connection)
            if number is None:
                number = self._take(connection)
            self.standing = self._look(connection, number)
        except psycopg.errors.LockNotAvailable:
            log.warning("slot.not_taken", fleet=self._fleet, again_in_s=BEAT_S)
        self._next_beat = now + BEAT_S
        return self.standing != before

    def release(self, connection: psycopg.Connection[Any]) -> None:
        """Gives the number back, so that the others rank without it at once."""
        connection.execute(_RELEASE, (self._fleet, self._holder))
        self.standing = None

    def _renew(self, connection: psycopg.Connection[Any]) -> int | None:
        with connection.transaction():
            connection.execute(_BOUND)
            row = connection.execute(_RENEW, (self._fleet, self._holder)).fetchone()
        return None if row is None else int(row[0])

    def _take(self, connection: psycopg.Connection[Any]) -> int:
        named = {"fleet": self._fleet, "holder": self._holder, "lease": LEASE_S}
        with connection.transaction():
            connection.execute(_BOUND)
            # One at a time: two that look at once would find the same number free.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            connection.execute(_FORGET, named)
            row = connection.execute(_TAKE, named).fetchone()
        if row is None:  # of one number more than there are rows, one is free
            raise psycopg.DataError(f"no slot is free in fleet {self._fleet!r}")
        return int(row[0])

    def _look(self, connection: psycopg.Connection[Any], number: int) -> Standing:
        rows = connection.execute(_LIVING, (self._fleet, LEASE_S)).fetchall()
        return Standing(number=number, living=tuple(sorted({number, *(row[0] for row in rows)})))


def _order(flag_key: str, slot: int) -> tuple[int, int]:
    return mmh3.hash(f"{flag_key}/{slot}", signed=False), slot


# By the database's clock: hosts need not agree.
_LOCK = 0x51075
_BOUND = f"SET LOCAL lock_timeout = {_PATIENCE_MS}"
_RENEW = """
UPDATE validation_slot SET seen_at = clock_timestamp() WHERE fleet = %s AND holder = %s
RETURNING number
"""
_FORGET = """
DELETE FROM validation_slot WHERE fleet = %(fleet)s
    AND seen_at < clock_timestamp() - make_interval(secs => %(lease)s)
"""
_TAKE = """
INSERT INTO validation_slot (fleet, number, holder, seen_at)
SELECT %(fleet)s, free.number, %(holder)s, clock_timestamp()
FROM generate_series(0, (SELECT count(*) FROM validation_slot WHERE fleet = %(fleet)s))
    AS free (number)
WHERE NOT EXISTS (
    SELECT FROM validation_slot taken
    WHERE taken.fleet = %(fleet)s AND taken.number = free.number
)
ORDER BY free.number LIMIT 1
RETURNING number
"""
_LIVING = """
SELECT number FROM validation_slot
WHERE fleet = %s AND seen_at > clock_timestamp() - make_interval(secs => %s)
"""
_RELEASE = "DELETE FROM validation_slot WHERE fleet = %s AND holder = %s"
