"""What is known at one moment, gathered once for all rules: servers, processes, windows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import redis
from django.conf import settings

from monitoring import processes, snapshots
from monitoring import valkey as server
from monitoring.alerts.windows import Windows
from monitoring.collectors import celery, pgbouncer, replicas, told, valkey
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres import SOURCE
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.replicas import ReplicaStanding
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample
from monitoring.processes import ProcessSnapshot
from monitoring.snapshots import WorkerSnapshot

# A sample comes every 10 s; of an older one nobody knows whether it still holds.
FRESH_S: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """None: nobody could be asked. `now` by Postgres' clock."""

    now: datetime
    postgres: Told[PostgresSample]
    cache: Told[ValkeySample]
    broker: Told[ValkeySample]
    queue: Told[CelerySample]
    # None: there is none to ask.
    pgbouncer: Told[PgBouncerSample] | None
    workers: tuple[WorkerSnapshot, ...] | None
    # Also those that fell silent lately.
    processes: tuple[ProcessSnapshot, ...] | None
    # Empty where none is configured; None: nobody watches.
    replicas: tuple[ReplicaStanding, ...] | None = ()
    # Why the cache server takes nothing, though it answers; "" where it does.
    refusal: str = ""
    windows: Windows = field(default_factory=Windows)
    # On their way for five minutes, or given up in the last hour, by destination.
    undelivered: Mapping[str, int] = field(default_factory=dict)

    @property
    def live(self) -> tuple[ProcessSnapshot, ...] | None:
        if self.processes is None:
            return None
        return tuple(process for process in self.processes if process.live)

    @property
    def up(self) -> tuple[WorkerSnapshot, ...] | None:
        if self.workers is None:
            return None
        return tuple(worker for worker in self.workers if worker.state == "up")


def look(now: datetime, windows: Windows, undelivered: Mapping[str, int]) -> Looked:
    """Asks Valkey alone; each question fails soon when it is away."""
    workers = snapshots.workers()
    asked = settings.PGBOUNCER_ADMIN_URL
    return Looked(
        now=now,
        postgres=told.read(SOURCE, PostgresSample),
        cache=told.read(valkey.CACHE, ValkeySample),
        broker=told.read(valkey.BROKER, ValkeySample),
        queue=told.read(celery.SOURCE, CelerySample),
        pgbouncer=told.read(pgbouncer.SOURCE, PgBouncerSample) if asked else None,
        workers=None if workers is None else tuple(workers),
        processes=_processes(),
        replicas=replicas.standing() or (None if settings.REPLICAS else ()),
        refusal=_refusal(),
        windows=windows,
        undelivered=undelivered,
    )


def _refusal() -> str:
    try:
        return server.refusal()
    except redis.RedisError:
        return ""


def _processes() -> tuple[ProcessSnapshot, ...] | None:
    try:
        return tuple(one for one in processes.told() if not one.final and not one.lost)
    except redis.RedisError:
        return None
