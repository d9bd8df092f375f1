"""The pools of the fleet: sockets and calls to each node, connections to each database."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import capacity, fleetview
from console.capacity.seen import Seen
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import Fleet, FleetPool, WorkerPool
from console.http import render_page
from console.pages import figures, replicas, trends
from console.pages.fleet import cells, unreachable
from console.pages.limits import used
from console.pages.trends import Kind

TEMPLATE = "console/pools.html"
REGIONS = ("figures", "list", "databases", "replicas", "pgbouncer")
TRENDS = (
    Kind(title="Calls in flight", name="pools.in_flight", write=trends.whole),
    Kind(title="Calls waiting", name="pools.waiting", write=trends.whole),
    Kind(title="Sockets to nodes", name="pools.sockets", write=trends.whole),
    Kind(title="Calls to nodes", name="rpc.all", write=figures.per_second),
    Kind(title="Failed calls", name="rpc.failed", of="rpc.all", write=figures.percent),
    Kind(title="Connections to Postgres", name="postgres.connections", write=trends.whole),
    Kind(title="Replicas behind", name="replicas.lag_s", write=figures.duration),
    Kind(title="Waiting for PgBouncer", name="pgbouncer.waiting", write=trends.whole),
    Kind(title="Longest wait for PgBouncer", name="pgbouncer.max_wait_s", write=figures.duration),
)
COLUMNS = (
    *("pool", "worker", "worker_state", "used", "idle", "max", "in_flight", "waiting", "limit"),
    *("limit_max", "limiter", "wait_p50_ms", "wait_p95_ms", "rtt_p50_ms", "rtt_p95_ms", "score"),
    *("rate_limit", "dialled", "requests", "calls", "failures", "age_s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A pool of the fleet: its sum, its processes, and the failures that it met most."""

    found: FleetPool
    failures: tuple[tuple[str, int], ...]

    @property
    def limiter(self) -> str:
        return ", ".join(self.found.limiters)


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        fleet = fleetview.look()
        if not fleet.reachable:
            return unreachable()
        rows = [_flat(row) for found in fleetview.pools(fleet) for row in found.rows]
        return stream_table("pools", form, COLUMNS, iter([rows]))
    context = {"charts": trends.charts(request, _trends()), "topics": "pools"}
    return render_page(request, TEMPLATE, "", {**load(), **context})


def _trends() -> tuple[Kind, ...]:
    """Where no PgBouncer is, none is named."""
    if settings.PGBOUNCER_ADMIN_URL:
        return TRENDS
    return tuple(kind for kind in TRENDS if not kind.name.startswith("pgbouncer."))


def load() -> dict[str, Any]:
    seen = Seen.look()
    found = pools_of(seen.fleet)
    known = [pool.found for pool in found if pool.found.workers]
    return {
        "section": "pools",
        "fleet": seen.fleet,
        "pools": found,
        "known": bool(known),
        "databases": seen.pools,
        "pgbouncer": seen.pgbouncer if settings.PGBOUNCER_ADMIN_URL else None,
        **replicas.load(),
        **_all_together(seen),
        **{name: sum(getattr(pool, name) for pool in known) for name in _SUMMED},
    }


def _all_together(seen: Seen) -> dict[str, Any]:
    """What every process opens of connections, against what Postgres and PgBouncer grant."""
    keys = ("pgbouncer.clients", "pgbouncer.servers", "postgres.connections")
    found = [one for one in capacity.limits(seen=seen) if one.key in keys]
    return {"sums": [(one, used(one), min(100, round(100 * one.share))) for one in found]}


_SUMMED = ("used", "idle", "max", "in_flight", "waiting", "limit")


def pools_of(fleet: Fleet) -> list[Pool]:
    """Those where calls wait first."""
    return [
        Pool(
            found=found,
            failures=tuple(sorted(found.failures.items(), key=lambda pair: -pair[1])),
        )
        for found in fleetview.pools(fleet)
    ]


def _flat(row: WorkerPool) -> dict[str, object]:
    failures = sorted(row.report.failures.items())
    return cells(
        row.report,
        COLUMNS,
        worker=row.worker.id,
        worker_state=row.worker.state,
        failures=" ".join(f"{reason}={n}" for reason, n in failures),
        age_s=row.age_s,
    )
