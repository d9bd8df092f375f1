"""Who of all processes collects: one at a time, the same one for as long as it can.

A row in Postgres holds its name until a moment. They ask one after another, for the milliseconds
that a claim takes: one that went away because another was asking would be the holder at times, and
its slot lost. What was collected is written under the slot that it is of, each slot once: a process
that was frozen and goes on writes nothing in the place of who took over.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import psycopg

from monitoring.collectors.questions import Questions, Row

STEP_S: Final = 10
# Between two looks, of which the first of a slot is kept.
LOOK_S: Final = 5
# Longer than two turns, shorter than three: one that dies is followed 12 s after its last look.
HELD_S: Final = 11
# Any number that nothing else here locks.
_LOCK: Final = 7_305_513_020

_CLAIM: Final = """
    UPDATE monitoring_collector
    SET holder = %(holder)s, until = clock_timestamp() + make_interval(secs => %(held_s)s)
    WHERE holder = %(holder)s OR until < clock_timestamp()
    RETURNING date_bin(make_interval(secs => %(step_s)s), clock_timestamp(), 'epoch') AS slot,
              slot AS kept
"""
_LEFT: Final = """
    SELECT extract(epoch FROM until - clock_timestamp())::float8 AS left_s FROM monitoring_collector
"""
_KEEP: Final = """
    UPDATE monitoring_collector SET slot = %(slot)s
    WHERE holder = %(holder)s AND slot < %(slot)s RETURNING slot
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The slot that is to be collected now. `new`: nobody has written it yet."""

    slot: datetime
    new: bool


class Lease:
    """One process's part in it."""

    def __init__(self, holder: str) -> None:
        self._holder = holder
        self.left_s = 0.0
        """How long the other one still has, as of the last claim that failed."""

    def claim(self, on: Questions) -> Turn | None:
        """None: another process collects. Raises psycopg.Error."""
        with on.transaction(writes=True) as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
            values = {"holder": self._holder, "held_s": HELD_S, "step_s": STEP_S}
            cursor.execute(_CLAIM, values)
            row = cursor.fetchone()
            if row is None:
                cursor.execute(_LEFT)
                other = cursor.fetchone()
                self.left_s = max(0.0, other["left_s"]) if other else 0.0
        return Turn(slot=row["slot"], new=row["slot"] > row["kept"]) if row else None

    def keep(self, cursor: psycopg.Cursor[Row], turn: Turn) -> bool:
        """Whether this process may write `turn`, which nobody may after it. Within the transaction
        that writes.
        """
        cursor.execute(_KEEP, {"holder": self._holder, "slot": turn.slot})
        return cursor.fetchone() is not None

    def give_up(self, on: Questions) -> None:
        """So that another need not wait. Raises psycopg.Error."""
        with on.transaction(writes=True) as cursor:
            cursor.execute(
                "UPDATE monitoring_collector SET until = 'epoch' WHERE holder = %s",
                [self._holder],
            )
