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


def _row(pool: FleetPool) -> dict[str, Any]:
    own = {name: getattr(pool, name) for name in Pool.model_fields if name != "on_workers"}
    on_workers = [
        msgspec.structs.asdict(row.report)
        | {"worker": row.worker.id, "worker_state": row.worker.state, "age_s": row.age_s}
        for row in pool.rows
    ]
    return own | {"on_workers": on_workers}
