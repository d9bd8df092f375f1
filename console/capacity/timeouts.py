"""Nested timeouts: what waits within something gives up before that does."""

import math
from collections.abc import Iterator
from typing import Any, Final

from console.capacity.connections import identifier
from console.capacity.inputs import Inputs, Times
from console.capacity.limit import OURS, Limit, Told, limit

_PGBOUNCER = "pgbouncer"
_NESTED: Final[Any] = {"unit": "seconds", "strictly": True}
_STATEMENT_S: Final = 30


def limits(inputs: Inputs) -> Iterator[Limit]:
    times = inputs.times
    if times is None:
        return
    wait_s = inputs.bouncer.query_wait_s if inputs.bouncer else None
    told = Told(source=OURS)
    if inputs.pooled:
        # Of the role's own limit Postgres tells.
        told = Told.by(inputs.ages, _PGBOUNCER, "postgres")
    yield limit(
        "timeouts.acquire",
        "Waiting for a connection, within a statement's time",
        uses=times.acquire,
        allows=times.statement,
        explains="A request waits for a connection of the pool no longer than Postgres lets a "
        "statement run: else those that wait give up after those that hold.",
        fix=_set_statement(inputs),
        told=told,
        **_NESTED,
    )
    yield limit(
        "timeouts.statement",
        "A statement, within a request",
        uses=_sum(times.statement, _waited(inputs, wait_s, 1)),
        allows=times.request,
        explains=f"{_named(inputs, wait_s)}A statement ends before whoever asked goes away: a "
        f"proxy before the console is to wait for {_seconds(times.request)} s.",
        fix=_end_statement(inputs, times),
        told=told,
        **_NESTED,
    )
    yield limit(
        "timeouts.lease",
        "Renewing a lease, within the lease",
        uses=_sum(times.renewal, _waited(inputs, wait_s, 2)),
        allows=times.lease,
        explains=f"A worker renews its chunk's lease each {_seconds(times.renewal)} s"
        f"{', and may be turned away by PgBouncer once' if inputs.pooled else ''}: one that comes "
        "too late has worked for nothing.",
        # Without PgBouncer both are of this release, and nobody's to set.
        fix=_wait_less(times) if inputs.pooled else "",
        told=told,
        **_NESTED,
    )
    yield limit(
        "timeouts.call",
        "One try of a call, within all of them",
        uses=times.call,
        allows=times.calls,
        explains="A node that does not answer leaves time for another try, with another node. "
        "Both are of this release.",
        fix="",
        told=Told(source=OURS),
        **_NESTED,
    )


def _waited(inputs: Inputs, wait_s: float | None, times: int) -> float | None:
    """For a connection of PgBouncer's, so many times; 0 where none stands between."""
    if not inputs.pooled:
        return 0.0
    return None if wait_s is None else wait_s * times


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _named(inputs: Inputs, wait_s: float | None) -> str:
    if not inputs.pooled:
        return ""
    return f"PgBouncer lets a client wait for {_seconds(wait_s)} s first. "


def _set_statement(inputs: Inputs) -> str:
    """Behind a pooler no session may set it, and the role's own holds; else each session sets the
    flag's, whatever the role has.
    """
    if not inputs.pooled:
        return f"manage.py flag db.statement_timeout {_STATEMENT_S * 1000}"
    role = identifier(inputs.postgres.user if inputs.postgres else "")
    return f"ALTER ROLE {role} SET statement_timeout = '{_STATEMENT_S}s';"


def _end_statement(inputs: Inputs, times: Times) -> str:
    statement, request = times.statement or 0, times.request or 0
    if not inputs.pooled:
        return _set_statement(inputs)
    lines = []
    if statement >= request - 1:
        lines.append(_set_statement(inputs))
        statement = _STATEMENT_S
    wait_s = inputs.bouncer.query_wait_s if inputs.bouncer else None
    if wait_s is not None and statement + wait_s >= request:
        lines.append(_wait_less(times))
    return "\n".join(lines)


def _wait_less(times: Times) -> str:
    """Within a lease (two may be waited for, beside its renewal) and within a request."""
    statement = times.statement or 0
    left_s = (times.request or math.inf) - (statement if math.isfinite(statement) else 0)
    within = [left_s / 2 if left_s > 1 else math.inf]
    if times.lease is not None and times.renewal is not None:
        within.append((times.lease - times.renewal) / 2.5)
    least = min(within)
    return f"query_wait_timeout = {max(1, int(least))}" if math.isfinite(least) else ""


def _seconds(value: float | None) -> str:
    return "an unknown number of" if value is None else f"{value:g}"
