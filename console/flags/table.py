"""The table of flags as any process reads it: plain SQL on a psycopg connection.

One statement, so that the revision and the rows are of one moment.
"""

from typing import Any

import msgspec
import psycopg

from console.flags.states import NAMES, FlagState

_JSON = frozenset({"variants", "units", "requires", "bake_s", "targeting", "metadata"})


def read(
    connection: psycopg.Connection[Any], known: int | None
) -> tuple[int, list[FlagState]] | None:
    """The revision of the flags and all of them; None where it is the one that is known."""
    rows = connection.execute(_READ, {"known": known}).fetchall()
    revision = rows[0][0]
    if revision == known:
        return None
    return revision, [_state(row[1:]) for row in rows if row[1] is not None]


def _state(row: tuple[Any, ...]) -> FlagState:
    columns = dict(zip(NAMES, row, strict=True))
    for name in _JSON:
        columns[name] = None if columns[name] is None else msgspec.json.decode(columns[name])
    return FlagState(**columns)


# A change leaves its number with the control and with each flag; a release that brings new flags
# leaves it with those alone. JSON as text, for connections differ in what they make of it.
_COLUMNS = ", ".join(f"f.{name}::text" if name in _JSON else f"f.{name}" for name in NAMES)
_READ = f"""
SELECT r.value, {_COLUMNS}
FROM (SELECT greatest(
        (SELECT max(revision) FROM validation_control WHERE kind = 'flags'),
        (SELECT max(revision) FROM flags_flag), 0) AS value) r
LEFT JOIN flags_flag f ON r.value IS DISTINCT FROM %(known)s::bigint
ORDER BY f.key
"""
