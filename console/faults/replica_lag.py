"""Stops the first replica from replaying what it receives, while the primary goes on writing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connections

from console.faults.fault import CannotCause, Fault, Memo

_ASK_S = 5
_STATES = "SELECT pg_is_in_recovery(), pg_is_in_recovery() AND pg_is_wal_replay_paused()"


def _prepare() -> Memo:
    replicas = settings.REPLICAS
    if not replicas:
        raise CannotCause("There is no replica: start the stack with `make up REPLICAS=1`.")
    first = replicas[0]
    with _asking(first.label, first.url) as replica:
        is_standby, is_paused = replica.execute(_STATES).fetchone() or (False, False)
    if not is_standby:
        raise CannotCause(f"{first.label} replays nothing: it was promoted.")
    if is_paused:
        raise CannotCause(f"{first.label} is paused already: SELECT pg_wal_replay_resume() there.")
    return {"label": first.label}


def _cause(memo: Memo) -> None:
    with _asking(memo["label"], _url_of(memo)) as replica:
        replica.execute("SELECT pg_wal_replay_pause()")
    _keep(memo)


def _keep(memo: Memo) -> None:
    """Something to be behind with: a record that no table holds."""
    del memo
    with _primary() as primary:
        primary.execute("SELECT pg_logical_emit_message(true, 'switchyard.fault', 'replica-lag')")


def _heal(memo: Memo) -> None:
    with _asking(memo["label"], _url_of(memo)) as replica:
        is_standby, is_paused = replica.execute(_STATES).fetchone() or (False, False)
        if is_standby and is_paused:
            replica.execute("SELECT pg_wal_replay_resume()")


def _url_of(memo: Memo) -> str:
    found = [replica.url for replica in settings.REPLICAS if replica.label == memo["label"]]
    return str(found[0])


@contextmanager
def _asking(name: str, url: str) -> Iterator[psycopg.Connection[Any]]:
    try:
        with psycopg.connect(url, connect_timeout=_ASK_S, autocommit=True) as link:
            yield link
    except psycopg.Error as exc:
        # libpq's own text may name the user and the place, never the password.
        said = (str(exc).strip() or type(exc).__name__).partition("\n")[0]
        raise CannotCause(f"{name} refused: {said}") from exc


@contextmanager
def _primary() -> Iterator[psycopg.Connection[Any]]:
    """Itself, not a pooler: a kept second must not wait for a place there."""
    if settings.DATABASE_OWNER_URL:
        with _asking("The primary", settings.DATABASE_OWNER_URL) as link:
            yield link
        return
    params = connections["default"].get_connection_params() | {"connect_timeout": _ASK_S}
    try:
        with psycopg.connect(**params, autocommit=True) as link:
            yield link
    except psycopg.Error as exc:
        raise CannotCause(f"The primary refused: {type(exc).__name__}") from exc


FAULT = Fault(
    name="replica-lag",
    does="The first replica replays nothing, and the primary goes on writing.",
    look="/database/ and /pools/ (the replica's lag grows; from 5 s on nobody reads from it)",
    rule="replica.lag",
    runbook="replica-lag",
    prepare=_prepare,
    cause=_cause,
    keep=_keep,
    heal=_heal,
)
