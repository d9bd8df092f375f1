"""Whether ten instances could run: each point by a look at what is, none by a promise."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from django.conf import settings
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import DatabaseError, InterfaceError
from psycopg_pool import PoolTimeout, TooManyRequests

from console.capacity import clocks, live
from console.capacity.inputs import PRIMARY, Inputs, Pool, changed
from console.capacity.judging import judge
from console.capacity.seen import Seen, is_here
from console.checks import server_of
from console.flags.catalogue import API_QUOTAS, BY_KEY
from console.flags.models import Flag
from console.flags.standing import Standing
from validation.flags import RATE_LIMIT, SHARING

INSTANCES: Final = 10
_SALT: Final = "django.contrib.sessions.SessionStore"
_IN_DATABASE: Final = frozenset(
    {"django.contrib.sessions.backends.db", "django.contrib.sessions.backends.cached_db"}
)
_LOOKED_AT: Final = 20
_AWAY: Final = (DatabaseError, InterfaceError, PoolTimeout, TooManyRequests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """`holds` None: it could not be looked at. `said` is what was seen."""

    key: str
    title: str
    holds: bool | None
    said: str
    fix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _At:
    """What points are made of, of one moment."""

    seen: Seen
    inputs: Inputs


def readiness(seen: Seen | None = None, inputs: Inputs | None = None) -> tuple[Point, ...]:
    """Those that do not hold first."""
    seen = seen or Seen.look()
    at = _At(seen=seen, inputs=inputs or live.look(seen))
    found = [_nothing_to_do(_looked(look, at)) for look in _POINTS]
    return tuple(sorted(found, key=lambda point: {False: 0, None: 1, True: 2}[point.holds]))


def _nothing_to_do(point: Point) -> Point:
    return replace(point, fix="") if point.holds else point


def _looked(look: Callable[[_At], Point], at: _At) -> Point:
    try:
        return look(at)
    except _AWAY:
        key = look.__name__.removeprefix("_").replace("_", " ")
        said = "Postgres does not answer, so it could not be looked at."
        return Point(key=look.__name__.strip("_"), title=key.capitalize(), holds=None, said=said)


def _sessions(_: _At) -> Point:
    engine = settings.SESSION_ENGINE
    return Point(
        key="sessions",
        title="A person may be served by any instance",
        holds=engine in _IN_DATABASE,
        said=f"Sessions are kept by {engine}: {Session.objects.count()} in Postgres now.",
        fix="SESSION_ENGINE: one that keeps them in the database",
    )


def _secret(_: _At) -> Point:
    """A session is signed with the key of whoever wrote it."""
    newest = Session.objects.order_by("-expire_date").values_list("session_data", flat=True)
    found = [_is_ours(data) for data in newest[:_LOOKED_AT]]
    strange = found.count(False)
    return Point(
        key="secret",
        title="All instances have one SECRET_KEY",
        holds=not strange if found else None,
        said=f"{strange} of the {len(found)} newest sessions were signed with another key than "
        "this process has."
        if found
        else "Nobody has signed in yet, so no signature could be compared.",
        fix="SECRET_KEY_FILE=… the same file for all",
    )


def _is_ours(data: str) -> bool:
    try:
        signing.loads(data, salt=_SALT)
    except signing.BadSignature:
        return False
    return True


def _servers(_: _At) -> Point:
    host = str(settings.DATABASES["default"].get("HOST", ""))
    named = {
        "DATABASE_URL": f"//{host}" if not host.startswith("/") else "unix:",
        "REDIS_URL": settings.REDIS_URL,
        "CELERY_BROKER_URL": settings.CELERY_BROKER_URL,
    }
    here = [name for name, url in named.items() if is_here(url)]
    return Point(
        key="servers",
        title="The servers are reached from other machines",
        holds=not here,
        said=f"{' and '.join(here)} lead{'s' if len(here) == 1 else ''} to this machine alone."
        if here
        else "No address leads to this machine alone.",
        fix="\n".join(f"{name}=… an address on the network" for name in here),
    )


def _broker(at: _At) -> Point:
    sample = at.seen.broker.sample
    if settings.CELERY_BROKER_URL.startswith("amqp"):
        return Point(key="broker", title=_BROKER, holds=True, said="It is RabbitMQ.")
    if sample is None:
        said = at.seen.broker.failure or "The collector has not told of it yet."
        return Point(key="broker", title=_BROKER, holds=None, said=said)
    # Eviction is a server's, not of a database in it: as the check of settings has it.
    own = server_of(settings.CELERY_BROKER_URL) != server_of(settings.REDIS_URL)
    lines = [] if own else ["CELERY_BROKER_URL=… a server of its own"]
    lines += [] if sample.policy == "noeviction" else ["maxmemory-policy noeviction"]
    return Point(
        key="broker",
        title=_BROKER,
        holds=own and sample.policy == "noeviction",
        said=f"{'A server of its own' if own else 'The same server as the cache'}, "
        f"maxmemory-policy {sample.policy}.",
        fix="\n".join(lines),
    )


_BROKER: Final = "The broker forgets nothing when the cache is full"


def _shared(key: str, title: str, flag: str, alone: frozenset[str]) -> Callable[[_At], Point]:
    """A flag, and the variants of it by which each process knows only of itself."""

    def look(_: _At) -> Point:
        row = Flag.objects.filter(pk=flag).first()
        if row is None:
            return Point(key=key, title=title, holds=None, said=f"There is no flag {flag}.")
        standing = Standing.of(row)
        percent = sum(standing.share(variant) for variant in alone) if row.enabled else 0
        return Point(
            key=key,
            title=title,
            holds=not percent,
            said=f"{flag} is {standing.words}"
            + (f": {percent} % of processes know only of themselves." if percent else "."),
            fix=f"manage.py flag {flag} {BY_KEY[flag].ships}" if percent else "",
        )

    return look


def _same_flags(at: _At) -> Point:
    told = {worker.flags_revision for worker in at.seen.fleet.up}
    many = len(told) > 1
    return Point(
        key="flags",
        title="All workers decide by the same flags",
        holds=not many if told else None,
        said=f"Workers have read revision{'s' if many else ''} {', '.join(map(str, sorted(told)))}."
        if told
        else "No worker is up to be asked.",
        fix="",
    )


def _clocks(at: _At) -> Point:
    """What one machine writes down with a time another reads."""
    if at.seen.processes is None:
        said = "The cache server does not answer, so no clock could be compared with it."
        return Point(key="clocks", title=_CLOCKS, holds=None, said=said)
    found = clocks.compare(at.seen.processes)
    if found is None:
        said = "No process has told of its clock yet."
        return Point(key="clocks", title=_CLOCKS, holds=None, said=said)
    return Point(
        key="clocks",
        title=_CLOCKS,
        holds=found.holds,
        said=found.words,
        fix="Let one source of time (chrony, systemd-timesyncd) set all machines",
    )


_CLOCKS: Final = "The machines' clocks agree"


def _connections(at: _At) -> Point:
    """Of ten web processes, each with a pool as large as the largest is now."""
    pools = at.inputs.pools
    if pools is None:
        said = "What pools there are is not known: the cache server does not answer."
        return Point(key="connections", title=_CONNECTIONS, holds=None, said=said)
    size = max((pool.size for pool in pools if pool.server == PRIMARY), default=1)
    workers = max(INSTANCES, at.inputs.planned or 0)
    sizes = {pool.server: pool.size for pool in sorted(pools, key=lambda pool: pool.size)}
    of_ten = [
        Pool(server=server, processes=INSTANCES, size=most)
        for server, most in ({PRIMARY: size} | sizes).items()
    ]
    ten = changed(at.inputs, pools=tuple(of_ten), workers=workers)
    found = [one for one in judge(ten) if one.key.startswith(_OF_CONNECTIONS)]
    bad = next((one for one in found if one.holds is False), None)
    known = all(one.holds is not None for one in found)
    one = bad or found[0]
    return Point(
        key="connections",
        title=_CONNECTIONS,
        holds=False if bad else (True if known else None),
        said=f"{INSTANCES} web processes with {size} each, and {workers} workers: {one.explains}",
        fix=one.fix,
    )


# Of whatever flag: variants by which a process asks or counts by itself.
_ALONE: Final = frozenset({"off", "process"})
_OF_CONNECTIONS: Final = (
    *("postgres.connections", "postgres.role", "postgres.database", "replica.connections"),
    *("pgbouncer.clients", "pgbouncer.servers"),
)
_CONNECTIONS: Final = f"{INSTANCES} instances find connections enough"
_POINTS: Final[tuple[Callable[[_At], Any], ...]] = (
    _sessions,
    _secret,
    _servers,
    _broker,
    _shared("quotas", "A token's quota is counted once", API_QUOTAS.key, _ALONE),
    _shared("rates", "A node's budget is the fleet's", RATE_LIMIT.key, _ALONE),
    _shared("sharing", "The same question is asked once by the fleet", SHARING.key, _ALONE),
    _same_flags,
    _clocks,
    _connections,
)
