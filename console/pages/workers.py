"""The worker processes and the queue they work off."""

from typing import Any

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages import figures, fleet, processes, throughput, trends
from console.pages.fleet import WorkerRow
from console.pages.trends import Kind
from monitoring import incarnations
from monitoring.collectors import celery, told, valkey
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.valkey import ValkeySample


def _lag(seconds: float) -> str:
    return figures.latency(seconds * 1_000)


TEMPLATE = "console/workers.html"
REGIONS = ("fleet", "queue", "processes")
TRENDS = (
    Kind(title="Workers up", name="workers.up", write=trends.whole),
    Kind(title="At work", name="workers.busy", write=trends.whole),
    Kind(title="Silent", name="workers.silent", write=trends.whole),
    Kind(title="Items validated", name="validations.all", write=figures.per_second),
    Kind(title="Chunks ready", name="chunks.ready", write=trends.whole),
    Kind(title="Chunks in work", name="chunks.leased", write=trends.whole),
    Kind(title="Wake-ups queued", name="celery.length", write=trends.whole),
    Kind(title="Oldest wake-up", name="celery.oldest_s", write=figures.duration),
    Kind(title="Memory, fullest", name="workers.memory_share", write=figures.percent),
    Kind(title="Memory of workers", name="processes.worker.pss_bytes", write=trends.octets),
    Kind(title="Processors of workers", name="processes.worker.cpu", write=figures.percent),
    Kind(title="Loop lag of workers", name="processes.worker.loop_lag_s", write=_lag),
)
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
    context = {"charts": trends.charts(request, TRENDS), "topics": "workers"}
    return render_page(request, TEMPLATE, "", {**load(), **context})


def load() -> dict[str, Any]:
    lost = sum(incarnations.lost().values())
    seen = fleetview.look()
    return {
        "fleet": fleet.counted(seen),
        **processes.load(seen),
        "queue": throughput.queue(),
        "lost": lost,
        "rung": told.read(celery.SOURCE, CelerySample),
        "broker": told.read(valkey.BROKER, ValkeySample),
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
