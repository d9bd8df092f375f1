"""A connection of a look's own to Postgres, on which no question lasts longer than 2 s.

It is none of the pool's, so it is there when the pool is empty, and it ends with the look. Whatever
the server does, frozen in the middle of an answer too, it is cut when the look's time is over.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg.rows import dict_row

from monitoring.collectors.cutting import cut_at
from monitoring.collectors.outcome import OutOfTime

QUESTION_S: Final = 2.0
LOOK_S: Final = 5.0
_LOCK_MS: Final = 500
_CONNECT_S: Final = 2
# What the server may take longer than its own limit, before it is not believed any more.
_GRACE_S: Final = 0.5
_NAME: Final = "switchyard collector"
_DJANGOS = frozenset({"pool", "cursor_factory", "context", "prepare_threshold", "autocommit"})
LIMITS: Final = """
    SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),
           set_config('transaction_read_only', %s, true)
"""

type Row = dict[str, Any]


def limits(left_s: float, *, writes: bool = False) -> list[str]:
    """The values of `LIMITS`, which hold until the end of a transaction."""
    return [str(int(left_s * 1000) + 1), str(_LOCK_MS), "off" if writes else "on"]


class Questions:
    """Each in a transaction of its own, so that limits hold behind a pooler and one that fails
    takes no other with it.
    """

    def __init__(self, connection: psycopg.Connection[Row], ends_at: float) -> None:
        self._connection = connection
        self._ends_at = ends_at

    def ask(self, query: str, values: Mapping[str, Any] | None = None) -> list[Row]:
        """The rows of `query`, which must return some columns. Raises psycopg.Error."""
        with self.transaction() as cursor:
            cursor.execute(query.encode(), values)
            return cursor.fetchall()

    @contextmanager
    def transaction(self, *, writes: bool = False) -> Iterator[psycopg.Cursor[Row]]:
        """Each statement in it has what is left of the look's time, and 2 s at most."""
        left_s = min(QUESTION_S, self._ends_at - time.monotonic())
        if left_s <= 0:
            raise OutOfTime
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.execute(LIMITS, limits(left_s, writes=writes))
            yield cursor

    @property
    def version(self) -> int:
        """As 180001."""
        return self._connection.info.server_version


@contextmanager
def questions(*, look_s: float = LOOK_S) -> Iterator[Questions]:
    """Connects, and cuts the connection when `look_s` are over. Raises psycopg.Error."""
    ends_at = time.monotonic() + look_s
    with (
        psycopg.connect(**_parameters(), row_factory=dict_row) as connection,
        cut_at(connection, ends_at + _GRACE_S),
    ):
        yield Questions(connection, ends_at)


def _parameters() -> dict[str, Any]:
    found = connections["default"].get_connection_params()
    kept = {name: value for name, value in found.items() if name not in _DJANGOS}
    own = {"application_name": _NAME, "connect_timeout": _CONNECT_S, "autocommit": True}
    # Nothing prepared: behind a pooler the next question may be another server session's.
    return {**kept, **own, "prepare_threshold": None}
