"""Everything that is known of the fleet and its servers at one moment, read once from Valkey."""

import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import redis
from django.conf import settings

from console import fleetview
from console.fleetview import DatabasePools, Fleet
from monitoring import processes
from monitoring.collectors import pgbouncer, postgres, told, valkey
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample
from monitoring.processes import ProcessSnapshot
from monitoring.snapshots import WorkerSnapshot

_LOCAL = frozenset({"", "localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`processes` and `pools` None: Valkey could not be asked."""

    fleet: Fleet
    processes: tuple[ProcessSnapshot, ...] | None
    pools: tuple[DatabasePools, ...] | None
    postgres: Told[PostgresSample]
    pgbouncer: Told[PgBouncerSample]
    cache: Told[ValkeySample]
    broker: Told[ValkeySample]

    @classmethod
    def look(cls) -> "Seen":
        heard = _processes()
        return cls(
            fleet=fleetview.look(),
            processes=heard,
            pools=None if heard is None else fleetview.database_pools(heard),
            postgres=told.read(postgres.SOURCE, PostgresSample),
            pgbouncer=told.read(pgbouncer.SOURCE, PgBouncerSample),
            cache=told.read(valkey.CACHE, ValkeySample),
            broker=told.read(valkey.BROKER, ValkeySample),
        )

    def of_kind(self, kind: str) -> tuple[ProcessSnapshot, ...]:
        return tuple(one for one in self.processes or () if one.kind == kind)

    @property
    def workers_here(self) -> tuple[WorkerSnapshot, ...]:
        """Those that are up on this machine."""
        return tuple(one for one in self.fleet.up if one.host == socket.gethostname())

    def pids_here(self, kind: str) -> list[int]:
        """Of the processes of this kind that live on this machine."""
        return [pid for one in self.of_kind(kind) if (pid := _pid_here(one)) is not None]


def is_here(url: str) -> bool:
    """Whether a server's address leads to this machine."""
    parts = urlsplit(url)
    return parts.scheme in {"unix", "redis+socket"} or (parts.hostname or "") in _LOCAL


def database_is_here() -> bool:
    """Postgres itself: behind PgBouncer only its owner's address tells."""
    if settings.PGBOUNCER_ADMIN_URL:
        return bool(settings.DATABASE_OWNER_URL) and is_here(settings.DATABASE_OWNER_URL)
    host = str(settings.DATABASES["default"].get("HOST", ""))
    return host in _LOCAL or host.startswith("/")


def is_own(process: ProcessSnapshot) -> bool:
    return process.incarnation.startswith(f"{socket.gethostname()}:")


def _pid_here(process: ProcessSnapshot) -> int | None:
    host, pid, _ = f"{process.incarnation}::".split(":", 2)
    return int(pid) if host == socket.gethostname() and pid.isdigit() else None


def _processes() -> tuple[ProcessSnapshot, ...] | None:
    try:
        return tuple(one for one in processes.told() if one.live)
    except redis.RedisError:
        return None
