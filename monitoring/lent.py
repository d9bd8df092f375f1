"""The pools of connections to databases, as each process tells of its own."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample

_PREFIX: Final = "switchyard_pool_"
_OF_DATABASES: Final = "db."


@dataclass(frozen=True, slots=True, kw_only=True)
class LentPool:
    """One pool in one process, which lends to its own requests alone. None: it does not tell."""

    name: str
    process: str
    used: float | None
    most: float | None
    waiting: float | None

    @property
    def share(self) -> float | None:
        return self.used / self.most if self.used is not None and self.most else None


def pools_of(process: ProcessSnapshot) -> Iterator[LentPool]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for gauge in process.gauges:
        pool = gauge.labels.get("pool", "")
        if pool.startswith(_OF_DATABASES) and gauge.name.startswith(_PREFIX):
            name = f"{gauge.name.removeprefix(_PREFIX)} {gauge.labels.get('state', '')}".rstrip()
            found[pool][name] = gauge.value
    # host:pid:start, and a host's name may hold colons.
    where = f"{process.kind} {process.incarnation.rpartition(':')[0]}"
    for pool, told in sorted(found.items()):
        yield LentPool(
            name=pool,
            process=where,
            used=told.get("connections used"),
            most=told.get("connections_max"),
            waiting=told.get("waiting"),
        )


def of_pools(processes: Iterable[ProcessSnapshot]) -> Iterator[Sample]:
    """Gauges of each process: the worst stands for its pool."""
    for pool in (pool for process in processes for pool in pools_of(process)):
        if pool.share is not None:
            yield Sample("switchyard_pool_used_worst_ratio", {"pool": pool.name}, pool.share)
        if pool.waiting is not None:
            yield Sample("switchyard_pool_waiting_worst", {"pool": pool.name}, pool.waiting)
