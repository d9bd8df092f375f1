"""The worker processes and the queue they work off."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.http import render_page
from console.pages import fleet, throughput

TEMPLATE = "console/workers.html"
REGIONS = ("fleet", "queue")


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    return render_page(request, TEMPLATE, "", {**load(), "topics": "workers"})


def load() -> dict[str, Any]:
    return {"fleet": fleet.load(), "queue": throughput.queue()}
