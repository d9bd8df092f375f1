"""Capacity: every limit from a worker's sockets to `max_connections`, violations first."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_safe

from console import capacity
from console.capacity import MOST_WORKERS, Capacity, Limit
from console.capacity.limit import as_json
from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages.limits import used
from console.pages.states import State

TEMPLATE = "console/capacity.html"
REGIONS = ("figures", "limits")
COLUMNS = ("key", "title", "uses", "allows", "unit", "holds", "explains", "fix", "source", "age_s")
_HUNDRED = 100
_MOST_DIGITS = 9
_STATES = {
    "violated": State(glyph="open", word="Broken"),
    "unknown": State(glyph="idle", word="No data"),
    "holds": State(glyph="closed", word="Holds"),
}
_READY = {True: "holds", None: "unknown", False: "violated"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A limit as the page writes it; `percent` of what is allowed, for its meter."""

    limit: Limit
    used: str

    @property
    def state(self) -> State:
        return _STATES[self.limit.standing]

    @property
    def percent(self) -> int | None:
        one = self.limit
        known = one.uses is not None and one.allows is not None
        return min(round(_HUNDRED * one.share), _HUNDRED) if known else None


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    asked = request.GET.get("workers", "")
    workers, why_not = _workers(asked)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        if why_not:
            return HttpResponse(why_not, status=422, content_type="text/plain; charset=utf-8")
        rows = [as_json(one) for one in capacity.limits(workers)]
        return stream_table("capacity", form, COLUMNS, iter([rows]))
    context = {
        **load(workers),
        "asked": asked[:10],
        "why_not": why_not,
        # What is asked for another number is no live region: the fleet's own would take its place.
        "topics": "" if workers is not None else "capacity",
    }
    return render_page(request, TEMPLATE, "", context, status=422 if why_not else 200)


def load_live() -> dict[str, Any]:
    """What the live regions show: nothing of readiness, which asks Postgres."""
    return _context(capacity.capacity(ready=False), None)


def load(workers: int | None = None) -> dict[str, Any]:
    return _context(capacity.capacity(workers), workers)


def _context(found: Capacity, workers: int | None) -> dict[str, Any]:
    return {
        "section": "capacity",
        "what_if": workers,
        "workers": found.workers,
        "looked_at": found.looked_at,
        "most_workers": MOST_WORKERS,
        "rows": [Row(limit=one, used=used(one)) for one in found.limits],
        "violated": len(found.violated),
        "unknown": len(found.unknown),
        "recommended": found.recommended,
        "points": [(_STATES[_READY[point.holds]], point) for point in found.readiness],
        "ready": sum(point.holds is True for point in found.readiness),
        "connections": next(
            (one for one in found.limits if one.key == "postgres.connections"), None
        ),
    }


def _workers(asked: str) -> tuple[int | None, str]:
    """What was asked for, or why that cannot be."""
    if not asked.strip():
        return None, ""
    is_number = asked.isascii() and asked.isdigit() and len(asked) <= _MOST_DIGITS
    if is_number and 1 <= int(asked) <= MOST_WORKERS:
        return int(asked), ""
    return None, f"workers: {asked[:20]!r} is not a whole number from 1 to {MOST_WORKERS}."
