"""One look at every process that lives (worker, web, beat): what each last said of itself."""

from typing import Any, Final

import msgspec

from monitoring import processes
from monitoring.processes import ProcessSnapshot

SOURCE: Final = "processes"
_PREFIX: Final = "switchyard_process_"
# Gauge of the process, and what it is called here.
_NAMES: Final = {
    "resident_memory_bytes": "rss_bytes",
    "proportional_memory_bytes": "pss_bytes",
    "cpu_ratio": "cpu",
    "open_fds": "fds",
    "max_fds": "fds_max",
    "open_sockets": "sockets",
    "threads": "threads",
    "gc_pause_worst_seconds": "gc_pause_s",
    "event_loop_lag_seconds": "loop_lag_s",
    "pending_tasks": "tasks",
}
_FRACTIONS: Final = frozenset({"cpu", "gc_pause_s", "loop_lag_s"})


class ProcessFigures(msgspec.Struct, kw_only=True, frozen=True):
    """Of one process, `age_s` old. `id` is `host:pid`; `cpu` a share of one processor; the pause
    and the lag are the worst of the last ten seconds or a little more. None: it does not tell.
    """

    id: str
    kind: str
    age_s: float
    rss_bytes: int | None = None
    pss_bytes: int | None = None
    cpu: float | None = None
    fds: int | None = None
    fds_max: int | None = None
    sockets: int | None = None
    threads: int | None = None
    gc_pause_s: float | None = None
    loop_lag_s: float | None = None
    tasks: int | None = None

    @property
    def fds_share(self) -> float | None:
        return self.fds / self.fds_max if self.fds is not None and self.fds_max else None


class ProcessesSample(msgspec.Struct, kw_only=True, frozen=True):
    """Those that live, by kind and id."""

    processes: tuple[ProcessFigures, ...]


def collect() -> ProcessesSample:
    """Raises redis.RedisError."""
    found = [_figures(told) for told in processes.told() if told.live]
    return ProcessesSample(processes=tuple(sorted(found, key=lambda one: (one.kind, one.id))))


def _figures(told: ProcessSnapshot) -> ProcessFigures:
    said: dict[str, Any] = {
        field: gauge.value if field in _FRACTIONS else round(gauge.value)
        for gauge in told.gauges
        if gauge.name.startswith(_PREFIX)
        and (field := _NAMES.get(gauge.name.removeprefix(_PREFIX)))
    }
    # host:pid:start, and a host's name may hold colons.
    name = told.incarnation.rpartition(":")[0]
    return ProcessFigures(id=name, kind=told.kind, age_s=told.age_s, **said)
