"""The worker processes and the queue they work off."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages import fleet, throughput
from console.pages.fleet import WorkerRow
from monitoring import incarnations
from monitoring.collectors import celery, told
from monitoring.collectors.celery import CelerySample

TEMPLATE = "console/workers.html"
REGIONS = ("fleet", "queue")
COLUMNS = (
    *("id", "host", "pid", "state", "busy", "run", "items_done", "chunks_done", "rate"),
    *("rss_bytes", "acknowledged", "in_flight", "requests", "started_at", "seen_at"),
)


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        found = fleet.load()
        if not found.reachable:
            return fleet.unreachable()
        return stream_table("workers", form, COLUMNS, iter([[_flat(row) for row in found.rows]]))
    return render_page(request, TEMPLATE, "", {**load(), "topics": "workers"})


def load() -> dict[str, Any]:
    lost = sum(incarnations.lost().values())
    return {
        "fleet": fleet.load(),
        "queue": throughput.queue(),
        "lost": lost,
        "rung": told.read(celery.SOURCE, CelerySample),
    }


def _flat(row: WorkerRow) -> dict[str, object]:
    return fleet.cells(
        row.worker,
        COLUMNS,
        in_flight=row.in_flight,
        requests=row.requests,
        started_at=row.started_at,
        seen_at=row.seen_at,
    )
