"""All pools in one vocabulary: used, idle, waiting, max, whatever they are pools of."""

from collections.abc import Iterator
from dataclasses import dataclass

from console.capacity.seen import Seen
from console.fleetview import FleetPool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLine:
    """`kind`: what it lends. None: nobody who counts tells of it."""

    name: str
    kind: str
    used: int | None
    idle: int | None
    max: int | None
    waiting: int | None
    age_s: float | None

    @property
    def share(self) -> float:
        return self.used / self.max if self.used is not None and self.max else 0.0


def of(seen: Seen, sockets: list[FleetPool]) -> list[PoolLine]:
    """Those where somebody waits first, then the fullest."""
    found = [*_databases(seen), *_pgbouncer(seen), *map(_sockets, sockets)]
    return sorted(found, key=lambda one: (-(one.waiting or 0), -one.share, one.name))


def _databases(seen: Seen) -> Iterator[PoolLine]:
    """Of the primary and of each replica, all web processes together."""
    for pool in seen.pools or ():
        total = pool.total
        yield PoolLine(
            name=pool.pool,
            kind="replica" if "replica" in pool.pool else "Postgres",
            used=total.used,
            idle=total.idle,
            max=total.max,
            waiting=total.waiting,
            age_s=total.age_s,
        )


def _pgbouncer(seen: Seen) -> Iterator[PoolLine]:
    told = seen.pgbouncer
    for pool in told.sample.pools if told.sample else ():
        yield PoolLine(
            name=pool.database,
            kind="PgBouncer",
            used=pool.used,
            idle=pool.idle,
            max=pool.max,
            waiting=pool.waiting,
            age_s=told.age_s,
        )


def _sockets(pool: FleetPool) -> PoolLine:
    return PoolLine(
        name=pool.pool,
        kind="sockets",
        used=pool.used,
        idle=pool.idle,
        max=pool.max,
        waiting=pool.waiting,
        age_s=pool.age_s,
    )
