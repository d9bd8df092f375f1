"""Whose turn it is to look: one process's, whichever comes first in each five seconds.

Nobody is elected for longer, for all that is known of an alert is in its row: who is killed is
missed by no one. Looks are counted as they are written down, and what one found is written only
where none was since it began: of looks that take longer than five seconds, the first to end.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import msgspec
import psycopg
from django.db import connection

from monitoring.collectors.questions import Questions, Row

STEP_S: Final = 5
# Under which name the last look stands among what was collected, so that its age is told.
SOURCE: Final = "alerts"
# `<>`: a clock that was set back must not stop the looking until it has caught up.
_CLAIM: Final = """
    WITH clock AS (SELECT coalesce(%(now)s, clock_timestamp()) AS now)
    UPDATE monitoring_alertturn
    SET holder = %(holder)s,
        slot = date_bin(make_interval(secs => %(step_s)s), now, 'epoch')
    FROM clock WHERE slot <> date_bin(make_interval(secs => %(step_s)s), now, 'epoch')
    RETURNING number, slot AS now
"""
# Whoever is stopped in the middle of writing must not hold up the others for long.
_HOLD: Final = """
    SELECT set_config('idle_in_transaction_session_timeout', '5s', true)
    FROM monitoring_alertturn WHERE number = %(number)s FOR UPDATE
"""
_LOOKED: Final = "UPDATE monitoring_alertturn SET number = number + 1, looked_at = %(now)s"
_LAST: Final = """
    SELECT looked_at, extract(epoch FROM clock_timestamp() - looked_at)::float8
    FROM monitoring_alertturn
"""
# Three turns: one may be missed by who is killed, one is under way.
_MISSED_S: Final = 3 * STEP_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """`number`: how many looks were written down before it. `now`: when its five seconds began, by
    Postgres' clock, which all rows are written by. Not the moment itself: who comes a little early
    would find ten seconds not over yet.
    """

    number: int
    now: datetime


class Look(msgspec.Struct, kw_only=True, frozen=True):
    """One whose findings were written down."""

    turn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LastLook:
    """When what is found was last written down, and how long ago that is, both by Postgres' clock.
    None: never.
    """

    at: datetime | None = None
    age_s: float | None = None

    @property
    def is_missed(self) -> bool:
        """Nobody looks: what is written down may hold no more."""
        return self.age_s is None or self.age_s > _MISSED_S


def claim(on: Questions, holder: str, now: datetime | None = None) -> Turn | None:
    """None: these five seconds are another's. `now` in place of the clock, for tests. Raises
    psycopg.Error.
    """
    values: dict[str, Any] = {"holder": holder, "step_s": STEP_S, "now": now}
    try:
        with on.transaction(writes=True) as cursor:
            cursor.execute(_CLAIM, values)
            row = cursor.fetchone()
    except psycopg.errors.LockNotAvailable:
        return None  # another is writing what it found
    return Turn(number=row["number"], now=row["now"]) if row else None


def hold(cursor: psycopg.Cursor[Row], turn: Turn) -> bool:
    """Whether no look was written down since this turn began; none is, and no turn begins, until
    the transaction ends.
    """
    cursor.execute(_HOLD, {"number": turn.number})
    return cursor.fetchone() is not None


def looked(cursor: psycopg.Cursor[Row], turn: Turn) -> None:
    """All is looked at, as soon as the transaction that holds the turn ends."""
    cursor.execute(_LOOKED, {"now": turn.now})


def last_look() -> LastLook:
    """For pages, on the connection that they have. Raises Django's database errors."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        row = cursor.fetchone()
    return LastLook(at=row[0], age_s=row[1]) if row else LastLook()
