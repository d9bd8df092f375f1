"""Brings the tables back to what the migrations left, behind each test that commits.

Django would empty every table and have all apps fill theirs anew, which costs most of such a test's
time. Here what nobody wrote to is left alone: a table whose rows are as many as before, none of
them of a newer transaction, is as it was. The audit trail refuses such changes to everybody; only a
superuser may switch its triggers off, and only this process does.
"""

from dataclasses import dataclass, field

from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper
from django.test import TransactionTestCase

# Of a table: how many rows it has, and the newest transaction that wrote one.
type Mark = tuple[int, int]


@dataclass
class _Kept:
    marks: dict[str, Mark] = field(default_factory=dict)
    # What to copy back into each table that is not empty: its columns by name, its rows.
    rows: dict[str, tuple[str, bytes]] = field(default_factory=dict)


# A migration that is taken back and done again leaves them in another order.
_COLUMNS = """
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""
_kept = _Kept()


def allow() -> None:
    TransactionTestCase._fixture_teardown = lambda _: bring_back()  # type: ignore[attr-defined]


def remember() -> None:
    """The tables as they are now: just made, before the first test."""
    with connection.cursor() as cursor:
        # All there are: the history's belong to no model.
        tables = connection.introspection.table_names(cursor)
        _kept.marks = _marks(cursor, tables)
        _kept.rows = {
            table: _read(cursor, table) for table, (number, _) in _kept.marks.items() if number
        }


def bring_back() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        now = _marks(cursor, list(_kept.marks))
        changed = [table for table, mark in now.items() if mark != _kept.marks[table]]
        if not changed:
            return
        # No key is checked, and no trigger fires, until the end of this transaction.
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table in changed:
            cursor.execute(f'DELETE FROM "{table}"')
            if table in _kept.rows:
                columns, rows = _kept.rows[table]
                with cursor.copy(f'COPY "{table}" ({columns}) FROM STDIN') as copy:
                    copy.write(rows)
        _kept.marks |= _marks(cursor, changed)


def _marks(cursor: CursorWrapper, tables: list[str]) -> dict[str, Mark]:
    cursor.execute(
        " UNION ALL ".join(
            f"SELECT '{table}', count(*), coalesce(max(xmin::text::bigint), 0) FROM \"{table}\""
            for table in tables
        )
    )
    return {table: (number, newest) for table, number, newest in cursor.fetchall()}


def _read(cursor: CursorWrapper, table: str) -> tuple[str, bytes]:
    cursor.execute(_COLUMNS, [table])
    (columns,) = cursor.fetchone() or ("",)
    with cursor.copy(f'COPY "{table}" ({columns}) TO STDOUT') as copy:
        return columns, b"".join(bytes(part) for part in copy)
