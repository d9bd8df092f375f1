"""Turns DATABASE_URL and the Redis URLs into Django's settings, refusing bad ones by name."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from console import env
from console.postgres.formulas import Sizes, by_deployment
from console.postgres.lending import Attempt, lost

# A network that drops packets silently would otherwise hold a worker for a quarter of an hour.
_NEVER_FOR_EVER = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
# One connection that nobody needed for so long is closed, and each after this life.
_UNUSED_S = 10.0
_LIFE_S = 3_600.0
CACHE_SCHEMES = frozenset({"redis", "rediss", "unix"})
BROKER_SCHEMES = frozenset({"redis", "rediss", "redis+socket", "amqp", "amqps"})
_LAST_PORT = 65535
_DJANGO_NAMES = {
    "dbname": "NAME",
    "user": "USER",
    "password": "PASSWORD",
    "host": "HOST",
    "port": "PORT",
}


def database_settings(
    url: str, *, pooled: bool, pool_max: int, pool: str = "db.primary"
) -> dict[str, Any]:
    """Django's entry for `url`; without one, a backend that fails only when it is used. `pool` is
    the name by which metrics and pages know it.
    """
    if not url:
        return {"ENGINE": "django.db.backends.dummy"}
    if urlsplit(url).scheme not in {"postgres", "postgresql"}:
        env.refuse("DATABASE_URL", "…", "a URL that starts with postgresql://")
    try:
        parts = {name: value for name, value in conninfo_to_dict(url).items() if value is not None}
        _check_port(str(parts.get("port", "")))
    except (ProgrammingError, ValueError):
        # libpq's own text may quote the password.
        env.refuse("DATABASE_URL", "…", "a Postgres URL: postgresql://user:password@host:5432/name")
    settings: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql"}
    settings |= {
        django: str(parts.pop(libpq)) for libpq, django in _DJANGO_NAMES.items() if libpq in parts
    }
    # What is left (sslmode, options, …) is libpq's; the pool settings join it, never replace it.
    # By name in pg_stat_activity, unless the URL or who connects says another.
    named = {"fallback_application_name": "switchyard web" if pooled else "switchyard"}
    settings["OPTIONS"] = _NEVER_FOR_EVER | named | parts
    settings["DISABLE_SERVER_SIDE_CURSORS"] = True
    if pooled:
        settings["ENGINE"] = "console.postgres"
        settings["OPTIONS"]["pool"] = _pool_settings(pool, by_deployment(1, pool_max))
        settings["CONN_HEALTH_CHECKS"] = True
    return settings


def _pool_settings(name: str, sizes: Sizes) -> dict[str, Any]:
    return {
        "name": name,
        "min_size": sizes.least,
        "max_size": sizes.most,
        "max_waiting": sizes.waiting,
        "max_idle": _UNUSED_S,
        "max_lifetime": _LIFE_S,
        # The pool gives up at once: `Outage` looks again, sooner than the pool's doubling pauses.
        "reconnect_timeout": 0,
        "reconnect_failed": lost,
        "connection_class": Attempt,
        # `Lender` looks whether a connection answers: the pool's own check sleeps in between.
        "check": None,
    }


def postgres_url(name: str) -> str:
    """The address of a Postgres, or of what speaks like one, in `name`; empty where not set."""
    url = env.text(name)
    if url:
        _refuse_no_postgres(name, url)
    return url


def _refuse_no_postgres(name: str, url: str) -> None:
    try:
        # libpq's own text may quote the password.
        right = urlsplit(url).scheme in {"postgres", "postgresql"}
        _check_port(str(conninfo_to_dict(url).get("port") or ""))
    except (ProgrammingError, ValueError):
        right = False
    if not right:
        env.refuse(name, "…", "a Postgres URL: postgresql://user:password@host:5432/name")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaUrl:
    """A read replica. `label` is its name in metrics and on pages, and its database alias."""

    label: str
    url: str
    weight: int


_MOST_REPLICAS = 8
_MOST_WEIGHT = 1000


def replica_urls(name: str) -> tuple[ReplicaUrl, ...]:
    """The comma-separated replicas of the variable `name`; each may end in `;weight=60`."""
    found: list[ReplicaUrl] = []
    for text in env.listed(name):
        url, _, weight = text.partition(";weight=")
        weight = weight or "1"
        if not (weight.isascii() and weight.isdigit() and 1 <= int(weight) <= _MOST_WEIGHT):
            env.refuse(name, f"…;weight={weight}", f"a weight from 1 to {_MOST_WEIGHT}")
        _refuse_no_postgres(name, url)
        if ";" in url.rpartition("@")[2]:
            env.refuse(name, "…", "a list of URLs that end in ;weight=60, or in nothing")
        found.append(ReplicaUrl(label=f"replica_{len(found) + 1}", url=url, weight=int(weight)))
    if len(found) > _MOST_REPLICAS:
        env.refuse(name, f"{len(found)} replicas", f"a list of {_MOST_REPLICAS} at most")
    if len({replica.url for replica in found}) < len(found):
        env.refuse(name, "…", "a list without repetitions: give one URL a larger weight")
    return tuple(found)


def _check_port(port: str) -> None:
    """The driver reads it when it connects, which is too late to name the variable."""
    if port and not all(1 <= int(part) <= _LAST_PORT for part in port.split(",")):
        raise ValueError(port)


def server_url(name: str, schemes: frozenset[str]) -> str:
    """The address of a Redis or broker in the variable `name`; empty where it is not set."""
    url = env.text(name)
    if url and urlsplit(url).scheme not in schemes:
        known = ", ".join(f"{scheme}://" for scheme in sorted(schemes))
        env.refuse(name, "…", f"a URL that starts with one of {known}")
    return url
