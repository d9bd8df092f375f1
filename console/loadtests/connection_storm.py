"""A thousand users at once: who must wait waits within bounds, and no connection stays behind."""

import asyncio
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.db import connections

from console import fleetview
from console.loadtests.criteria import CannotRun, Outcome, at_most, exactly
from console.loadtests.storm_client import Page, Tally, storm
from console.postgres.formulas import by_deployment
from monitoring.collectors import pgbouncer

USERS = 1_000
FOR_S = 20.0
_PATH = "/validations/"
_SESSION_S = 300
_POLL_S = 1.0
_WANTED_S = 30.0
_SOURCE = "000, load test 1"
# One that is not needed is closed each ten seconds, and processes tell of it a second later.
_A_CONNECTION_S = 12.0
_POOL = "db.primary"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """Connections of the web processes: by their own word, and by Postgres'."""

    told: int | None
    orphaned: int | None
    in_transaction: int
    processes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Connections under the name of web processes: those that PgBouncer lends them, if there is
    one, and the others.
    """

    pooled: int
    others: int
    in_transaction: int


def run(url: str, *, users: int = USERS, for_s: float = FOR_S) -> Outcome:
    """Raises CannotRun. `url`: of a running console on this machine's own stack."""
    if not settings.DEVELOPMENT:
        raise CannotRun("a storm is for a development stack: this one does not say DEVELOPMENT=1.")
    _make_room_for(users)
    with _signed_in() as cookie:
        before = _held()
        if before.told is None or not before.processes:
            raise CannotRun(f"no web process tells of its pool: is `make up` running at {url}?")
        parts = urlsplit(url)
        page = Page(
            host=parts.hostname or "127.0.0.1", port=parts.port or 80, path=_PATH, cookie=cookie
        )
        tally = asyncio.run(storm(page, users=users, for_s=for_s))
        if not tally.answered and not tally.refused:
            said = ", ".join(tally.other) or "nothing"
            raise CannotRun(f"the console at {url} answered nobody ({said}).")
        after, waited_s = _settled(before)
    return _judged(tally, before, after, waited_s)


def _judged(tally: Tally, before: _Held, after: _Held, waited_s: float) -> Outcome:
    least = _least(before)
    return Outcome(
        criteria=(
            at_most("longest wait for an answer", tally.waited_s(1.0), _WANTED_S, unit="s",
                    source=_SOURCE),
            exactly("answers that were neither the page nor 503 with Retry-After",
                    tally.other.total(), 0, source="ours"),
            at_most("connections of the pool afterwards", after.told, least, source=_SOURCE),
            exactly("connections in Postgres that no pool knows", after.orphaned, 0,
                    source=_SOURCE),
            exactly("connections left within a transaction", after.in_transaction, 0,
                    source=_SOURCE),
        ),
        figures={"pages": tally.answered, "refused with Retry-After": tally.refused,
                 **{f"else: {what}": count for what, count in tally.other.items()},
                 "wait_p50_s": round(tally.waited_s(0.5) or 0.0, 3),
                 "wait_p99_s": round(tally.waited_s(0.99) or 0.0, 3),
                 "pool before": before.told or 0, "back after_s": round(waited_s, 1)},
    )  # fmt: skip


def _least(before: _Held) -> int:
    """What the pools keep open, or held before the storm came."""
    kept = by_deployment(1, settings.DB_POOL_MAX).least * before.processes
    return max(kept, before.told or 0)


def _settled(before: _Held, clock: Callable[[], float] = time.monotonic) -> tuple[_Held, float]:
    """Once the pools are as small as they were, or have had time enough to be."""
    began, most = clock(), settings.DB_POOL_MAX * _A_CONNECTION_S
    while True:
        held, waited_s = _held(), clock() - began
        is_small = held.told is not None and held.told <= _least(before) and not held.orphaned
        if is_small or waited_s > most:
            return held, waited_s
        time.sleep(_POLL_S)


def _held() -> _Held:
    told = fleetview.database_pools()
    pools = [pool for pool in told or () if pool.pool == _POOL]
    rows = [row for pool in pools for row in pool.rows]
    told_sum = None if told is None else sum(row.used + row.idle for row in rows)
    found = seen()
    # To PgBouncer a process connects as often as it tells, and to Postgres itself never.
    direct = 0 if settings.PGBOUNCER_ADMIN_URL else told_sum
    return _Held(
        told=told_sum,
        orphaned=None if direct is None else max(0, found.others - direct),
        in_transaction=found.in_transaction,
        processes=len(rows),
    )


def seen() -> Seen:
    """By Postgres and PgBouncer themselves. Raises CannotRun where PgBouncer does not answer."""
    with connections["default"].cursor() as cursor:
        cursor.execute(_ACTIVITY)
        found: dict[int, bool] = dict(cursor.fetchall())
    try:
        url = settings.PGBOUNCER_ADMIN_URL
        pooled = found.keys() & pgbouncer.servers(url) if url else set()
    except psycopg.Error as exc:
        raise CannotRun(f"PgBouncer does not answer: {type(exc).__name__}.") from exc
    return Seen(
        pooled=len(pooled),
        others=len(found) - len(pooled),
        in_transaction=sum(found.values()),
    )


_ACTIVITY = """
SELECT pid, coalesce(state LIKE 'idle in transaction%%', false)
FROM pg_stat_activity
WHERE datname = current_database() AND application_name = 'switchyard web'
"""


@contextmanager
def _signed_in() -> Iterator[str]:
    """The cookie of a session of this test's own, gone after it."""
    try:
        user = User.objects.filter(is_active=True).order_by("pk").first()
        if user is None:
            raise CannotRun("nobody has an account: `make up` makes the first.")
        session: Any = import_module(settings.SESSION_ENGINE).SessionStore()
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        session.set_expiry(_SESSION_S)
        session.save()
    except psycopg.Error as exc:
        raise CannotRun(f"the database does not answer: {type(exc).__name__}.") from exc
    try:
        yield f"{settings.SESSION_COOKIE_NAME}={session.session_key}"
    finally:
        session.delete()


def _make_room_for(users: int) -> None:
    """A socket is an open file, of which a shell often grants 1 024."""
    needed = users + 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed:
        return
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(needed, hard), hard))
    if resource.getrlimit(resource.RLIMIT_NOFILE)[0] < needed:
        raise CannotRun(f"{users} users need {needed} open files: `ulimit -n {needed}` first.")
