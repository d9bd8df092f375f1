"""The first page: what the fleet does now, from what is measured and nothing else."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.http import render_page
from console.pages import fleet, listing, throughput
from validation.models import Run, RunState

RUNNING_SHOWN = 8
RECENT_SHOWN = 8
TEMPLATE = "console/overview.html"
REGIONS = ("figures", "running", "verdicts", "workers", "recent")


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
        "fleet": fleet.load(),
        "running": running,
        "running_count": len(running) if few else open_runs.count(),
        "recent": recent,
    }
