"""The first page: what the fleet does now, from what is measured and nothing else."""

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console import capacity, fleetview
from console.capacity.limit import Limit
from console.capacity.seen import Seen
from console.http import render_page
from console.pages import (
    alerts,
    breakers,
    figures,
    fleet,
    history,
    key_figures,
    listing,
    optimisation_rollout,
    pool_lines,
    throughput,
    trends,
)
from console.pages.alert_rows import row_of
from console.pages.key_figures import LINES, LINES_S, Known
from console.pages.limits import used
from console.pages.trends import Kind, Trend
from monitoring.alerts.turns import last_look
from validation.models import Run, RunState

RUNNING_SHOWN = 8
RECENT_SHOWN = 8
BREAKERS_SHOWN = 6
POOLS_SHOWN = 6
CHANGES_SHOWN = 6
ALERTS_SHOWN = 5
LIMITS_SHOWN = 5
_ALERTS_COUNTED = 100
TRENDS = (
    Kind(title="Items validated", name="validations.all", write=figures.per_second),
    Kind(
        title="Not valid", name="validations.not_valid", of="validations.all",
        write=figures.percent,
    ),
    Kind(title="Calls to nodes", name="rpc.all", write=figures.per_second),
    Kind(title="Failed calls", name="rpc.failed", of="rpc.all", write=figures.percent),
    LINES["cache"],
    LINES["breakers"],
    LINES["queue"],
    Kind(title="Requests to the console", name="http.all", write=figures.per_second),
)  # fmt: skip
TEMPLATE = "console/overview.html"
REGIONS = (
    *("alerts", "rollouts", "figures", "capacity", "breakers", "pools", "running", "changes"),
    *("recent", "verdicts", "workers"),
)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    charts, lines = trends.charts_with(request, TRENDS, [*LINES.values()], range_s=LINES_S)
    return render_page(
        request, TEMPLATE, "", {**load(lines), "charts": charts, "topics": "overview"}
    )


def load(lines: Sequence[Trend] | None = None) -> dict[str, Any]:
    """What every region of the page shows. `lines`: of the key figures, where they are read."""
    if lines is None:
        lines = trends.load([*LINES.values()], range_s=LINES_S)
    firing = [row_of(alert) for alert in alerts.standing().filter(state="firing")[:_ALERTS_COUNTED]]
    hour, queue, seen = throughput.last_hour(), throughput.queue(), Seen.look()
    rows = breakers.rows_of(seen.fleet)
    broken = breakers.figures(rows, seen.fleet)
    known = Known(
        seen=seen,
        breakers=broken,
        cache=fleetview.caches(seen.fleet),
        hour=hour,
        queue=queue,
        lines=dict(zip(LINES, lines, strict=True)),
    )
    return {
        "hour": hour,
        "rollouts": optimisation_rollout.of_late(),
        "firing": firing[:ALERTS_SHOWN],
        "firing_count": len(firing),
        "looked": last_look(),
        "key_figures": key_figures.six(known),
        "fleet": fleet.counted(seen.fleet),
        "breakers": rows[:BREAKERS_SHOWN],
        "breaker_figures": broken,
        "breaker_count": len(rows),
        "changes": history.recent(CHANGES_SHOWN),
        **_runs(),
        **_pools(seen),
    }


def _runs() -> dict[str, Any]:
    open_runs = Run.objects.filter(state=RunState.RUNNING)
    running = listing.rows_of(open_runs[:RUNNING_SHOWN])
    few = len(running) < RUNNING_SHOWN
    return {
        "running": running,
        "running_count": len(running) if few else open_runs.count(),
        "recent": listing.rows_of(Run.objects.exclude(state=RunState.RUNNING)[:RECENT_SHOWN]),
    }


def _pools(seen: Seen) -> dict[str, Any]:
    """Every pool, the sum of all against what Postgres grants, and what limits are broken."""
    found = pool_lines.of(seen, fleetview.pools(seen.fleet))
    limits = capacity.limits(seen=seen)
    together = next((one for one in limits if one.key == "postgres.connections"), None)
    broken = capacity.violated(limits)
    return {
        "pools": found[:POOLS_SHOWN],
        "pool_count": len(found),
        "together": together and _said(together),
        "limits": [_said(one) for one in broken[:LIMITS_SHOWN]],
        "limit_count": len(broken),
    }


def _said(one: Limit) -> tuple[Limit, str]:
    return one, used(one)
