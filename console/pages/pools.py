"""The pools of the fleet: sockets and calls to each node, connections to each database."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import Fleet, FleetPool, WorkerPool
from console.http import render_page
from console.pages.fleet import cells, unreachable

TEMPLATE = "console/pools.html"
REGIONS = ("figures", "list", "databases", "pgbouncer")
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
    return render_page(request, TEMPLATE, "", {**load(), "topics": "pools"})


def load() -> dict[str, Any]:
    fleet = fleetview.look()
    found = pools_of(fleet)
    known = [pool.found for pool in found if pool.found.workers]
    return {
        "section": "pools",
        "fleet": fleet,
        "pools": found,
        "known": bool(known),
        "databases": fleetview.database_pools(),
        "pgbouncer": fleetview.pgbouncer(),
        **{name: sum(getattr(pool, name) for pool in known) for name in _SUMMED},
    }


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
