"""What Postgres says of itself: where it is, and how many connections it grants."""

from dataclasses import dataclass
from typing import Any

import psycopg

from console.pgbouncer.sizes import Room
from monitoring.pooler import is_pooled


class ThroughPooler(ValueError):
    """The connection leads to a pooler, which cannot stand before itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where Postgres answers, and what it grants."""

    host: str
    port: int
    database: str
    room: Room


def look(connection: psycopg.Connection[Any]) -> Server:
    """Raises ThroughPooler, and psycopg's errors."""
    if is_pooled(connection):
        raise ThroughPooler
    row = connection.execute(_LIMITS).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Server(
        host=connection.info.host,
        port=connection.info.port,
        database=connection.info.dbname,
        room=Room(max_connections=row[0], reserved=row[1], foreign=row[2]),
    )


_LIMITS = """
SELECT current_setting('max_connections')::int,
       current_setting('superuser_reserved_connections')::int
       + coalesce(current_setting('reserved_connections', true), '0')::int,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'
           AND application_name NOT LIKE 'switchyard%' AND pid <> pg_backend_pid())::int
"""
