"""The first page: what the fleet does now, from what is measured and nothing else."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console import fleetview
from console.http import render_page
from console.pages import breakers, figures, fleet, history, listing, pools, throughput, trends
from console.pages.trends import Kind
from validation.models import Run, RunState

RUNNING_SHOWN = 8
RECENT_SHOWN = 8
BREAKERS_SHOWN = 6
POOLS_SHOWN = 6
CHANGES_SHOWN = 6
# What stands under the key figures, over the last hour.
LINES = {
    "breakers": Kind(title="Open breakers", name="breakers.open", write=trends.whole),
    "cache": Kind(
        title="Cache hit rate", name="cache.hits", of="cache.lookups", write=figures.percent
    ),
    "not_valid": Kind(
        title="Not valid", name="validations.not_valid", of="validations.all",
        write=figures.percent,
    ),
    "queue": Kind(title="Queue", name="chunks.ready", write=trends.whole),
    "workers": Kind(title="Workers up", name="workers.up", write=trends.whole),
}  # fmt: skip
LINES_S = 3_600.0
TEMPLATE = "console/overview.html"
REGIONS = ("figures", "breakers", "pools", "running", "verdicts", "changes", "recent", "workers")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    context = {**load(), "topics": "overview"}
    return render_page(request, TEMPLATE, "", context)


def load() -> dict[str, Any]:
    """What every region of the page shows."""
    open_runs = Run.objects.filter(state=RunState.RUNNING)
    running = listing.rows_of(open_runs[:RUNNING_SHOWN])
    recent = listing.rows_of(Run.objects.exclude(state=RunState.RUNNING)[:RECENT_SHOWN])
    few = len(running) < RUNNING_SHOWN
    return {
        "hour": throughput.last_hour(),
        "queue": throughput.queue(),
        "running": running,
        "running_count": len(running) if few else open_runs.count(),
        "recent": recent,
        "changes": history.recent(CHANGES_SHOWN),
        "lines": dict(zip(LINES, trends.load([*LINES.values()], range_s=LINES_S), strict=True)),
        **_engine(),
    }


def _engine() -> dict[str, Any]:
    """What workers say: breakers worst first, pools, the cache, and themselves, of one moment."""
    seen = fleetview.look()
    rows = breakers.rows_of(seen)
    found = pools.pools_of(seen)
    return {
        "fleet": fleet.counted(seen),
        "breakers": rows[:BREAKERS_SHOWN],
        "breaker_figures": breakers.figures(rows, seen),
        "breaker_count": len(rows),
        "pools": found[:POOLS_SHOWN],
        "pool_count": len(found),
        "cache": fleetview.caches(seen),
    }
