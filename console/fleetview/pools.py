"""Pools over the fleet: what all workers together use of each node, and may use."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from console.fleetview.fleet import Fleet, look
from console.fleetview.rows import Row, most, oldest, summed
from monitoring.snapshots import PoolReport


class WorkerPool(Row[PoolReport]):
    """One pool in one worker process, by its own report of `age_s` ago."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPool:
    """Sums over the workers that are up; waits and round trips are the slowest worker's."""

    pool: str
    # Workers up that report this pool; 0: there is no data, and every sum is None.
    workers: int
    used: int | None
    idle: int | None
    max: int | None
    in_flight: int | None
    waiting: int | None
    limit: int | None
    limit_max: int | None
    # The limiters in use: one, but while a change spreads.
    limiters: tuple[str, ...]
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    # Of the whole fleet, not a sum.
    rate_limit: float | None
    dialled: int | None
    requests: int | None
    calls: int | None
    failures: dict[str, int]
    rows: tuple[WorkerPool, ...]
    age_s: float | None


def pools(fleet: Fleet | None = None) -> list[FleetPool]:
    """Every pool that a worker reports: those where calls wait first, then the fullest."""
    fleet = fleet or look()
    told: dict[str, list[WorkerPool]] = defaultdict(list)
    for worker in fleet.workers:
        for report in worker.pools:
            told[report.pool].append(WorkerPool(worker=worker, report=report))
    return sorted((_gathered(name, rows) for name, rows in told.items()), key=_badness)


def _gathered(name: str, rows: list[WorkerPool]) -> FleetPool:
    rows.sort(key=lambda row: (not row.is_current, -row.report.waiting, row.worker.id))
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    failures: Counter[str] = Counter()
    for report in reports:
        failures.update(report.failures)
    return FleetPool(
        pool=name,
        workers=len(now),
        **{field: summed(reports, field) for field in _SUMMED},
        wait_p50_ms=most(reports, "wait_p50_ms"),
        wait_p95_ms=most(reports, "wait_p95_ms"),
        rtt_p50_ms=most(reports, "rtt_p50_ms"),
        rtt_p95_ms=most(reports, "rtt_p95_ms"),
        rate_limit=most(reports, "rate_limit"),
        limiters=tuple(sorted({report.limiter for report in reports})),
        failures=dict(failures),
        rows=tuple(rows),
        age_s=oldest(now),
    )


_SUMMED = (
    *("used", "idle", "max", "in_flight", "waiting", "limit", "limit_max"),
    *("dialled", "requests", "calls"),
)


def _badness(pool: FleetPool) -> tuple[bool, int, float, str]:
    fullness = (pool.in_flight or 0) / pool.limit if pool.limit else 0.0
    return pool.workers == 0, -(pool.waiting or 0), -fullness, pool.pool
