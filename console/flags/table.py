"""The table of flags as any process reads it: plain SQL on a psycopg connection.

One statement, so that the revision and the rows are of one moment.
"""

from typing import Any, Final, NamedTuple

import msgspec
import psycopg
import structlog

from console.flags.states import NAMES, FlagState

log = structlog.get_logger(__name__)

_JSON = frozenset({"variants", "units", "requires", "bake_s", "targeting", "metadata"})


class Version(NamedTuple):
    """What differs where the flags do. Those that a release brings are at revision 0, so their
    number counts too.
    """

    revision: int
    flags: int


NOTHING: Final = Version(-1, -1)


def read(
    connection: psycopg.Connection[Any], known: Version
) -> tuple[Version, list[FlagState]] | None:
    """All flags; None where they are those of the version that is known."""
    rows = connection.execute(_READ, known._asdict()).fetchall()
    version = Version(*rows[0][:2])
    if version == known:
        return None
    states = (_state(row[2:]) for row in rows if row[2] is not None)
    return version, [state for state in states if state is not None]


def _state(row: tuple[Any, ...]) -> FlagState | None:
    """None of a row that no form let in: it keeps nobody from the others."""
    columns = dict(zip(NAMES, row, strict=True))
    try:
        for name in _JSON:
            columns[name] = None if columns[name] is None else msgspec.json.decode(columns[name])
    except (RecursionError, ValueError) as exc:
        log.error("flags.unreadable", flag=columns["key"], error=type(exc).__name__)  # noqa: TRY400 - of its kind
        return None
    return FlagState(**columns)


# A change leaves its number with the control, also that which deletes a flag. JSON as text, for
# connections differ in what they make of it.
_COLUMNS = ", ".join(f"f.{name}::text" if name in _JSON else f"f.{name}" for name in NAMES)
_READ = f"""
SELECT r.revision, r.flags, {_COLUMNS}
FROM (SELECT coalesce(max(c.revision), 0) AS revision,
          (SELECT count(*) FROM flags_flag) AS flags
      FROM validation_control c WHERE c.kind = 'flags') r
LEFT JOIN flags_flag f ON (r.revision, r.flags) <> (%(revision)s::bigint, %(flags)s::bigint)
ORDER BY f.key
"""
