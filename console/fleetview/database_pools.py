"""Pools of connections to a database: what each web process last said of its own."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import redis

from monitoring import processes
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample

_GAUGES = {
    ("switchyard_pool_connections", "used"): "used",
    ("switchyard_pool_connections", "idle"): "idle",
    ("switchyard_pool_connections_max", ""): "max",
    ("switchyard_pool_waiting", ""): "waiting",
}
_COUNTERS = {
    ("switchyard_pool_wait_seconds_count", ""): "lent",
    ("switchyard_pool_wait_seconds_sum", ""): "waited_s",
}
NAMED = "db."


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePool:
    """One pool of one process, by its word of `age_s` ago. `lent` and the mean wait for one are
    since the process started; what was refused after a wait counts as well.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabasePools:
    """Of one name: its processes, the fullest first, and their sum."""

    pool: str
    rows: tuple[DatabasePool, ...]

    @property
    def total(self) -> DatabasePool:
        lent = sum(row.lent for row in self.rows)
        waited_ms = sum(row.lent * (row.wait_mean_ms or 0.0) for row in self.rows)
        return DatabasePool(
            pool=self.pool,
            process="",
            used=sum(row.used for row in self.rows),
            idle=sum(row.idle for row in self.rows),
            max=sum(row.max for row in self.rows),
            waiting=sum(row.waiting for row in self.rows),
            lent=lent,
            wait_mean_ms=waited_ms / lent if lent else None,
            age_s=max(row.age_s for row in self.rows),
        )


def database_pools(
    told: Iterable[ProcessSnapshot] | None = None,
) -> tuple[DatabasePools, ...] | None:
    """Of the processes that live, by name; None where Valkey cannot be asked. `told`: what they
    said, where it was read already.
    """
    try:
        told = processes.told() if told is None else told
    except redis.RedisError:
        return None
    found: dict[str, list[DatabasePool]] = defaultdict(list)
    for process in told:
        if process.live:
            for pool, figures in _figures(process).items():
                found[pool].append(_row(pool, figures, process))
    return tuple(
        DatabasePools(pool=pool, rows=tuple(sorted(rows, key=_badness)))
        for pool, rows in sorted(found.items())
    )


def _figures(process: ProcessSnapshot) -> dict[str, dict[str, float]]:
    """By pool; one that tells no size is none, or is a node's."""
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for sample in process.gauges:
        _put(found, _GAUGES, sample)
    for sample in process.counters:
        _put(found, _COUNTERS, sample)
    return {pool: figures for pool, figures in found.items() if "max" in figures}


def _put(
    found: dict[str, dict[str, float]], known: dict[tuple[str, str], str], sample: Sample
) -> None:
    pool = sample.labels.get("pool", "")
    name = known.get((sample.name, sample.labels.get("state", "")))
    if name and pool.startswith(NAMED):
        found[pool][name] = sample.value


def _row(pool: str, figures: dict[str, float], process: ProcessSnapshot) -> DatabasePool:
    host, pid, _ = f"{process.incarnation}::".split(":", 2)
    lent = int(figures.get("lent", 0))
    return DatabasePool(
        pool=pool,
        process=f"{pid}@{host}",
        used=int(figures.get("used", 0)),
        idle=int(figures.get("idle", 0)),
        max=int(figures["max"]),
        waiting=int(figures.get("waiting", 0)),
        lent=lent,
        wait_mean_ms=1000 * figures.get("waited_s", 0.0) / lent if lent else None,
        age_s=process.age_s,
    )


def _badness(row: DatabasePool) -> tuple[int, float, str]:
    return -row.waiting, -row.used / row.max if row.max else 0.0, row.process
