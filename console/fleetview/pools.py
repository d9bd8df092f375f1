"""Pools over the fleet: what all workers together use of each node, and may use."""

from collections import Counter
from dataclasses import dataclass

from console.fleetview.fleet import Fleet, look
from monitoring.snapshots import PoolReport, WorkerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerPool:
    """One pool in one worker process, by its own report of `age_s` ago."""

    worker: WorkerSnapshot
    report: PoolReport

    @property
    def age_s(self) -> float:
        return self.worker.age_s

    @property
    def is_current(self) -> bool:
        return self.worker.state == "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPool:
    """Sums over the workers that are up; waits and round trips are the slowest worker's."""

    pool: str
    # Workers up that report this pool; 0: there is no data, and the sums mean nothing.
    workers: int
    used: int
    idle: int
    max: int
    in_flight: int
    waiting: int
    limit: int
    limit_max: int
    # The limiters in use: one, but while a change spreads.
    limiters: tuple[str, ...]
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    # Of the whole fleet, not a sum.
    rate_limit: float | None
    dialled: int
    requests: int
    calls: int
    failures: dict[str, int]
    rows: tuple[WorkerPool, ...]
    age_s: float | None


def pools(fleet: Fleet | None = None) -> list[FleetPool]:
    """Every pool that a worker reports: those where calls wait first, then the fullest."""
    fleet = fleet or look()
    names = {report.pool for worker in fleet.workers for report in worker.pools}
    return sorted((_gathered(name, fleet) for name in names), key=_badness)


def _gathered(name: str, fleet: Fleet) -> FleetPool:
    rows = sorted(
        (
            WorkerPool(worker=worker, report=report)
            for worker in fleet.workers
            for report in worker.pools
            if report.pool == name
        ),
        key=lambda row: (not row.is_current, -row.report.waiting, row.worker.id),
    )
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    failures: Counter[str] = Counter()
    for report in reports:
        failures.update(report.failures)
    return FleetPool(
        pool=name,
        workers=len(now),
        **{field: sum(getattr(report, field) for report in reports) for field in _SUMMED},
        wait_p50_ms=_most(reports, "wait_p50_ms"),
        wait_p95_ms=_most(reports, "wait_p95_ms"),
        rtt_p50_ms=_most(reports, "rtt_p50_ms"),
        rtt_p95_ms=_most(reports, "rtt_p95_ms"),
        rate_limit=_most(reports, "rate_limit"),
        limiters=tuple(sorted({report.limiter for report in reports})),
        failures=dict(failures),
        rows=tuple(rows),
        age_s=max((row.age_s for row in now), default=None),
    )


_SUMMED = (
    *("used", "idle", "max", "in_flight", "waiting", "limit", "limit_max"),
    *("dialled", "requests", "calls"),
)


def _most(reports: list[PoolReport], field: str) -> float | None:
    known: list[float] = [v for r in reports if (v := getattr(r, field)) is not None]
    return max(known, default=None)


def _badness(pool: FleetPool) -> tuple[bool, int, float, str]:
    fullness = pool.in_flight / pool.limit if pool.limit else 0.0
    return pool.workers == 0, -pool.waiting, -fullness, pool.pool
