"""Lets a test that commits empty the tables behind it: the audit trail refuses that to everybody.

Only a superuser may switch triggers off so, and only this process does. The row that checks of the
trail begin with is there again: without one they raise an alarm.
"""

from collections.abc import Iterable
from typing import Any

from django.db.backends.postgresql.operations import DatabaseOperations

_CHECK = (
    "INSERT INTO access_auditcheck (id, position, hash, swept_to, fault, said)"
    " VALUES (1, 0, '', 0, '', '') ON CONFLICT (id) DO NOTHING"
)
_flush = DatabaseOperations.execute_sql_flush


def _without_triggers(self: DatabaseOperations, sql_list: Iterable[str]) -> Any:
    # Until the end of the transaction in which Django flushes.
    return _flush(self, ["SET LOCAL session_replication_role = replica", *sql_list, _CHECK])


def allow() -> None:
    DatabaseOperations.execute_sql_flush = _without_triggers  # type: ignore[assignment, method-assign]
