"""Both tiers of the cache: what they answer, what they hold, and what another size would answer."""

from dataclasses import dataclass
from typing import Any

import redis
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import FleetCache, KindCounts, WorkerCache
from console.http import render_page
from console.pages import curve, figures, history, trends
from console.pages.fleet import cells, unreachable
from console.pages.trends import Kind as Line
from monitoring import valkey
from validation.models import ControlKind

TEMPLATE = "console/caches.html"
REGIONS = ("actions", "figures", "kinds", "curve", "levels", "workers", "history")
TRENDS = (
    Line(title="Look-ups", name="cache.lookups", write=figures.per_second),
    Line(title="Answered by the cache", name="cache.hits", of="cache.lookups",
         write=figures.percent),
    Line(title="Memory of L2", name="valkey.used_bytes", write=trends.octets),
    Line(title="Evicted from L2", name="valkey.evicted", write=figures.per_second),
    Line(title="Keys found in Valkey", name="valkey.hits", write=figures.per_second),
    Line(title="Keys missed in Valkey", name="valkey.misses", write=figures.per_second),
    Line(title="Commands of Valkey", name="valkey.commands", write=figures.per_second),
    Line(title="Clients of Valkey", name="valkey.clients", write=trends.whole),
)  # fmt: skip
COLUMNS = (
    *("worker", "worker_state", "policy", "entries", "max_entries", "bytes", "max_bytes"),
    *("evicted", "expired", "l1", "l2", "stale", "negative", "miss", "l2_reachable"),
    *("bytes_raw", "bytes_stored", "corrupt", "coalesced", "invalidated", "revision"),
    *("acknowledged", "age_s"),
)
# What answered, how it is called, and its shade: ink alone, for none of them is better or worse.
ANSWERS = (
    ("l1", "L1, this process", "shade-1"),
    ("l2", "L2, Valkey", "shade-2"),
    ("stale", "Stale, renewed behind it", "shade-3"),
    ("negative", "Known to be missing", "shade-4"),
)
_ALMOST_FULL = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """Look-ups of one kind, ready for a bar and a row of figures."""

    counts: KindCounts
    parts: list[tuple[str, str, int]]
    shares: list[float | None]


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        fleet = fleetview.look()
        if not fleet.reachable:
            return unreachable()
        rows = [_flat(row) for row in fleetview.caches(fleet).rows]
        return stream_table("caches", form, COLUMNS, iter([rows]))
    context = {"charts": trends.charts(request, TRENDS), "topics": "caches"}
    return render_page(request, TEMPLATE, "", {**load(), **context})


def load() -> dict[str, Any]:
    fleet = fleetview.look()
    found = fleetview.caches(fleet)
    sizes = sizes_in_force(found)
    return {
        "section": "caches",
        "fleet": fleet,
        "found": found,
        "refusal": _refusal(),
        "total": _kind(found.total) if found.total else None,
        "kinds": [_kind(counts) for counts in found.kinds],
        "answers": [(name, shade) for _, name, shade in ANSWERS],
        "chart": curve.chart(found.curve, sizes),
        "codecs": sorted(found.codecs.items(), key=lambda pair: -pair[1]),
        "wanted": found.desired,
        "history": _history(),
    }


def _refusal() -> str:
    try:
        return valkey.refusal()
    except redis.RedisError:
        return ""  # that it does not answer is said elsewhere


def _history() -> list[history.Entry]:
    """Resizes and purges together, newest first."""
    kinds = (ControlKind.L1, ControlKind.PURGE)
    return history.of_kinds(kinds)


def sizes_in_force(found: FleetCache) -> tuple[int, int] | None:
    """The least and the most entries that the L1 of a process holds at most now: as many as it
    may, or fit its bytes. None where none reports.
    """
    sizes = [
        report.entries
        if report.max_bytes and report.bytes >= _ALMOST_FULL * report.max_bytes
        else report.max_entries
        for row in found.rows
        if row.is_current
        for report in (row.report,)
    ]
    return (min(sizes), max(sizes)) if sizes else None


def _kind(counts: KindCounts) -> Kind:
    return Kind(
        counts=counts,
        parts=[(shade, name, getattr(counts, code)) for code, name, shade in ANSWERS],
        shares=[counts.share(code) for code, _, _ in ANSWERS],
    )


def _flat(row: WorkerCache) -> dict[str, object]:
    kinds = row.report.kinds.values()
    answers = ("l1", "l2", "stale", "negative", "miss")
    return cells(
        row.report,
        COLUMNS,
        **{name: sum(kind.get(name, 0) for kind in kinds) for name in answers},
        worker=row.worker.id,
        worker_state=row.worker.state,
        acknowledged=row.worker.acknowledged,
        age_s=row.age_s,
    )
