"""Has PgBouncer accept 2 000 clients, as the sources' does, on three connections to Postgres."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings

from console.faults.fault import CannotCause, Fault, Memo

CLIENTS, SERVERS = 2_000, 3
_ASK_S = 5
_SET = (
    f"SET default_pool_size = {SERVERS}",
    f"SET max_db_connections = {SERVERS}",
    f"SET max_client_conn = {CLIENTS}",
)


def _prepare() -> Memo:
    if not settings.PGBOUNCER_ADMIN_URL:
        raise CannotCause("There is no PgBouncer: start the stack with `make up PGBOUNCER=1`.")
    with _admin() as admin:
        rows = admin.execute(b"SHOW CONFIG").fetchall()
    config = {row[0]: row[1] for row in rows}
    if "switchyard" not in str(config.get("admin_users", "")):
        raise CannotCause("This PgBouncer lets nobody of ours change it: admin_users.")
    return {}


def _cause(_memo: Memo) -> None:
    with _admin() as admin:
        for line in _SET:
            admin.execute(line.encode())


def _heal(_memo: Memo) -> None:
    """What its file says holds again."""
    with _admin() as admin:
        admin.execute(b"RELOAD")


@contextmanager
def _admin() -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(
            settings.PGBOUNCER_ADMIN_URL,
            connect_timeout=_ASK_S,
            autocommit=True,
            prepare_threshold=None,
        ) as link:
            yield link
    except psycopg.Error as exc:
        said = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
        raise CannotCause(f"PgBouncer refused: {said}") from exc


FAULT = Fault(
    name="pgbouncer-mismatch",
    does=f"PgBouncer accepts {CLIENTS:,} clients and has {SERVERS} connections to Postgres for "
    "them.".replace(",", " "),
    look="/capacity/ (PgBouncer's limits, first), /pools/ (clients wait in PgBouncer)",
    rule="capacity.exceeded",
    runbook="pgbouncer-mismatch",
    prepare=_prepare,
    cause=_cause,
    heal=_heal,
)
