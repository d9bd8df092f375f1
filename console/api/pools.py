"""Pools: what workers use of each node, and web processes of each database, and may use."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from dataclasses import asdict
from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema

from console import fleetview
from console.api.auth import viewer
from console.api.problems import Problem
from console.api.wanted import heard_fleet
from console.fleetview import FleetPool
from console.replicas import standing
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.told import Told

router = Router(tags=["Pools"])


class Times(Schema):
    """Of the last minute; null where nothing was measured."""

    pool: str
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    rate_limit: float | None
    failures: dict[str, int]


class PoolOnWorker(Times):
    """Sockets used, idle and at most; calls in flight, waiting, and their limit. Counts are since
    the process started.
    """

    used: int
    idle: int
    max: int
    in_flight: int
    waiting: int
    limit: int
    limit_max: int
    dialled: int
    requests: int
    calls: int
    worker: str
    worker_state: Literal["up", "stale", "gone"]
    age_s: float
    limiter: str
    score: float | None


class Pool(Times):
    """Sums over the `workers` that are up, null where there are none; times are the slowest
    worker's.
    """

    used: int | None
    idle: int | None
    max: int | None
    in_flight: int | None
    waiting: int | None
    limit: int | None
    limit_max: int | None
    dialled: int | None
    requests: int | None
    calls: int | None
    workers: int
    limiters: list[str]
    age_s: float | None
    on_workers: list[PoolOnWorker]


class PoolList(Schema):
    """Those where calls wait first."""

    pools: list[Pool]


class DatabasePool(Schema):
    """Connections of one web process (of all together: `process` is empty), and requests that wait
    for one. `lent` and the mean wait are since the process started.
    """

    pool: str
    process: str
    used: int
    idle: int
    max: int
    waiting: int
    lent: int
    wait_mean_ms: float | None
    age_s: float


class DatabasePoolList(Schema):
    """The sum of each pool, then its processes, the fullest first."""

    pools: list[DatabasePool]


class Replica(Schema):
    """One read replica, as the web process sees it that told last. `in_use`: safe reads may go
    there; if not, `why`. Lag and round trip are null where they are not known; it was asked
    `seen_s` ago.
    """

    label: str
    weight: int
    in_use: bool
    why: str
    reachable: bool
    lag_s: float | None
    lag_bytes: int | None
    round_trip_ms: float | None
    seen_s: float


class ReplicaList(Schema):
    """In the order of DATABASE_REPLICA_URLS; empty where none is configured, or nobody watches."""

    replicas: list[Replica]


class PgBouncerPool(Schema):
    """Of one database and user, as PgBouncer shows it. `waiting`: clients that have a transaction
    to do and no connection; the first of them since `max_wait_s`.
    """

    database: str
    user: str
    mode: str
    used: int
    idle: int
    max: int
    clients: int
    waiting: int
    max_wait_s: float


class PgBouncer(Schema):
    """As the collector last saw it, `age_s` ago; `failure` says why it has not since. All else is
    null where nothing is known. The mean wait is of a transaction, since the look before. `named`:
    PGBOUNCER_ADMIN_URL says where to look.
    """

    named: bool
    version: str | None
    clients_max: int | None
    clients: int | None
    waiting: int | None
    max_wait_s: float | None
    mean_wait_ms: float | None
    transactions_per_s: float | None
    pools: list[PgBouncerPool]
    failure: str
    age_s: float | None


@router.get("/pools", auth=viewer, response=PoolList, summary="List pools")
def list_pools(request: HttpRequest) -> dict[str, Any]:
    """Every pool that a worker reports; 503 when nobody reports."""
    return {"pools": [_row(pool) for pool in fleetview.pools(heard_fleet())]}


@router.get("/pools/databases", auth=viewer, response=DatabasePoolList, summary="List databases")
def list_database_pools(request: HttpRequest) -> dict[str, Any]:
    """Every pool that a web process reports; 503 where nobody can be asked."""
    found = fleetview.database_pools()
    if found is None:
        raise Problem(503, "No process reports: the cache server does not answer.")
    return {"pools": [asdict(row) for of in found for row in (of.total, *of.rows)]}


@router.get("/pools/replicas", auth=viewer, response=ReplicaList, summary="List replicas")
def list_replicas(request: HttpRequest) -> dict[str, Any]:
    """The read replicas: whether they are read from, and how far they are behind."""
    return {"replicas": [msgspec.structs.asdict(one) for one in standing()]}


@router.get("/pools/pgbouncer", auth=viewer, response=PgBouncer, summary="Read PgBouncer")
def read_pgbouncer(request: HttpRequest) -> dict[str, Any]:
    """What the collector last saw; nothing is, where PGBOUNCER_ADMIN_URL names none. 503 where
    nobody can be asked.
    """
    found = fleetview.pgbouncer()
    if found is not None and not found.reachable:
        raise Problem(503, "Nothing is known of PgBouncer: the cache server does not answer.")
    return _pgbouncer(found or Told()) | {"named": found is not None}


def _pgbouncer(found: Told[PgBouncerSample]) -> dict[str, Any]:
    sample = found.sample
    names = ("version", "clients_max", "clients", "waiting", "max_wait_s")
    rates = sample.rates if sample else None
    return {
        **{name: getattr(sample, name) if sample else None for name in names},
        "mean_wait_ms": rates.mean_wait_ms if rates else None,
        "transactions_per_s": rates.transactions_per_s if rates else None,
        "pools": [msgspec.structs.asdict(pool) for pool in sample.pools] if sample else [],
        "failure": found.failure,
        "age_s": found.age_s,
    }


def _row(pool: FleetPool) -> dict[str, Any]:
    own = {name: getattr(pool, name) for name in Pool.model_fields if name != "on_workers"}
    on_workers = [
        msgspec.structs.asdict(row.report)
        | {"worker": row.worker.id, "worker_state": row.worker.state, "age_s": row.age_s}
        for row in pool.rows
    ]
    return own | {"on_workers": on_workers}
