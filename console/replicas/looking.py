"""One look at a server's replication: by a connection of its own, cut when its time is over."""

import time
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from django.db import connections
from psycopg.rows import dict_row

from console.replicas.lag import lsn_of
from monitoring.collectors.cutting import cut_at

LOOK_S: Final = 2.0
_NAME: Final = "switchyard web replicas"
_ASK: Final = """
SELECT system_identifier::text AS system, pg_is_in_recovery() AS follows,
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
            ELSE pg_current_wal_flush_lsn() END::text AS lsn,
       extract(epoch FROM clock_timestamp())::float8 AS clock_s,
       extract(epoch FROM pg_last_xact_replay_timestamp())::float8 AS committed_s
FROM pg_control_system()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """`lsn`: written to disk on a primary, replayed on a replica; None: nothing yet. `system` is
    the same for a primary and all that were copied from it. `clock_s`: its own clock.
    `committed_s`: by the primary's clock, when the last transaction that a replica has replayed was
    committed.
    """

    system: str
    follows: bool
    lsn: int | None
    clock_s: float
    committed_s: float | None
    round_trip_ms: float


def ask(alias: str) -> Server:
    """The server of a database alias. Raises psycopg.Error."""
    return look(connections[alias].get_connection_params())


def look(given: dict[str, Any]) -> Server:
    """The server that libpq's parameters, or Django's, name. Raises psycopg.Error."""
    parameters = given | {"connect_timeout": int(LOOK_S), "application_name": _NAME}
    # Django's own, for connections that it lends.
    for name in ("cursor_factory", "context", "pool"):
        parameters.pop(name, None)
    with (
        psycopg.connect(**parameters, autocommit=True, row_factory=dict_row) as link,
        cut_at(link, time.monotonic() + LOOK_S),
    ):
        began = time.perf_counter()
        row = link.execute(_ASK).fetchone() or {}
        took_s = time.perf_counter() - began
    lsn = row.pop("lsn")
    return Server(lsn=lsn_of(lsn) if lsn else None, round_trip_ms=1000 * took_s, **row)
