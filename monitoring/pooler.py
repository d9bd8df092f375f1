"""Tells a connection to Postgres itself from one through a pooler such as PgBouncer.

Behind transaction pooling each transaction may run in another session of the server: what a
session keeps (SET, LISTEN, advisory locks of the session, prepared statements, temporary tables) is
some other client's then. SET LOCAL and `pg_advisory_xact_lock` are safe everywhere.
"""

from typing import Any

import psycopg
from psycopg.rows import tuple_row


def is_pooled(connection: psycopg.Connection[Any]) -> bool:
    """Whether another process answers than the one that greeted us: the number that a pooler gives
    its clients, by which they cancel, is made up. One question. Raises psycopg's errors.
    """
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT pg_backend_pid()").fetchone()
    return row is None or row[0] != connection.info.backend_pid
