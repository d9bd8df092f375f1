"""The fleet's truth in one place: breakers, pools, caches, nodes as every process sees them.

Enters: the snapshots that workers publish and what operators want of them (`console.controls`).
Leaves: frozen rows for pages, API and commands alike, each with its age, the worst first. What
nobody reports is None or an empty row, never zero. `look()` asks the cache server once; give its
answer to the others so that one page shows one moment. Depends on `monitoring.snapshots` and
`console.controls`; pages, API and commands depend on it.
"""

from console.fleetview.breakers import FleetBreaker, WorkerBreaker, breaker, breakers
from console.fleetview.caches import FleetCache, KindCounts, WorkerCache, caches
from console.fleetview.database_pools import DatabasePool, DatabasePools, database_pools
from console.fleetview.fleet import Fleet, look
from console.fleetview.nodes import CaughtAt, FleetNode, FleetNodes, WorkerNode, nodes
from console.fleetview.pgbouncer import pgbouncer
from console.fleetview.pools import FleetPool, WorkerPool, pools

__all__ = [
    "CaughtAt",
    "DatabasePool",
    "DatabasePools",
    "Fleet",
    "FleetBreaker",
    "FleetCache",
    "FleetNode",
    "FleetNodes",
    "FleetPool",
    "KindCounts",
    "WorkerBreaker",
    "WorkerCache",
    "WorkerNode",
    "WorkerPool",
    "breaker",
    "breakers",
    "caches",
    "database_pools",
    "look",
    "nodes",
    "pgbouncer",
    "pools",
]
