"""The database: who is connected, what waits, what takes the time, as the collector last saw it.

Nothing here asks the server how it is: a burning one is asked once every five seconds, by one
process, and all pages show what it said, with its age.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from console.exports import TABLE_FORMS, stream_table
from console.http import render_page
from console.pages import figures, replicas, trends
from console.pages.trends import Kind
from monitoring.collectors import celery, postgres, told, valkey
from monitoring.collectors.advice import advice
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.postgres_samples import (
    Connections,
    Index,
    PostgresSample,
    Session,
    Statement,
    Table,
)
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample

TEMPLATE = "console/database.html"
REGIONS = (
    *("state", "figures", "connections", "locks", "statements", "objects"),
    *("replication", "servers"),
)
TRENDS = (
    Kind(title="Connections", name="postgres.connections", write=trends.whole),
    Kind(title="At work", name="postgres.connections_active", write=trends.whole),
    Kind(title="Waiting for locks", name="postgres.waiting_on_locks", write=trends.whole),
    Kind(title="Longest transaction", name="postgres.longest_transaction_s",
         write=figures.duration),
    Kind(title="Commits", name="postgres.commits", write=figures.per_second),
    Kind(title="Rollbacks", name="postgres.rollbacks", write=figures.per_second),
    Kind(title="Blocks read from disk", name="postgres.blocks_read", write=figures.per_second),
    Kind(title="Size", name="postgres.database_bytes", write=trends.octets),
    Kind(title="Replicas behind", name="replicas.lag_s", write=figures.duration),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """A table of the sample that can be downloaded."""

    kind: type[msgspec.Struct]
    of: Callable[[PostgresSample], Iterable[msgspec.Struct] | None]


TABLES: Mapping[str, Rows] = {
    "statements": Rows(kind=Statement, of=lambda s: s.statements.slowest if s.statements else None),
    "connections": Rows(kind=Connections, of=lambda s: s.connections),
    "sessions": Rows(kind=Session, of=lambda s: s.sessions),
    "tables": Rows(kind=Table, of=lambda s: s.sizes.tables if s.sizes else None),
    "indexes": Rows(kind=Index, of=lambda s: s.sizes.indexes if s.sizes else None),
}


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        return _table(request.GET.get("table", ""), form)
    context = {"charts": trends.charts(request, TRENDS), "topics": "database"}
    return render_page(request, TEMPLATE, "", {**load(), **context})


def load() -> dict[str, Any]:
    found = told.read(postgres.SOURCE, PostgresSample)
    return {
        "section": "database",
        "found": found,
        "failed_at": _since(found.failure_age_s),
        "servers": [
            (name, *_server(source))
            for name, source in (("Cache", valkey.CACHE), ("Broker", valkey.BROKER))
        ],
        "queue": told.read(celery.SOURCE, CelerySample),
        **replicas.load(),
        **(_standing(found.sample) if found.sample else {}),
    }


def _standing(sample: PostgresSample) -> dict[str, Any]:
    connections = sample.connections or ()
    server = sample.server
    sizes = sample.sizes
    return {
        "sample": sample,
        "at": datetime.fromtimestamp(server.at, tz=UTC),
        "sizes_at": datetime.fromtimestamp(sizes.at, tz=UTC) if sizes else None,
        "taken": sum(one.number for one in connections),
        "room": server.max_connections - server.reserved,
        "on_locks": sum(one.on_locks for one in connections),
        "longest_s": max((one.transaction_s or 0.0 for one in connections), default=0.0),
        "advice": advice(sample),
        "failures": sorted(sample.failures.items()),
    }


def _server(source: str) -> tuple[Told[ValkeySample], datetime | None]:
    found = told.read(source, ValkeySample)
    return found, _since(found.age_s)


def _since(age_s: float | None) -> datetime | None:
    """To the second: what is pushed to pages must not differ by how long a question took."""
    if age_s is None:
        return None
    return (timezone.now() - timedelta(seconds=age_s)).replace(microsecond=0)


def _table(name: str, form: str) -> HttpResponseBase:
    table = TABLES.get(name or "statements")
    if table is None:
        return _said(f"There is no table {name[:40]!r} here: {', '.join(TABLES)}.\n", 404)
    found = told.read(postgres.SOURCE, PostgresSample)
    rows = table.of(found.sample) if found.sample else None
    if rows is None:
        return _said(f"It is not known now. {found.failure}".strip() + "\n", 503)
    columns = table.kind.__struct_fields__
    flat = [msgspec.structs.asdict(row) for row in rows]
    return stream_table(f"database-{name or 'statements'}", form, columns, iter([flat]))


def _said(text: str, status: int) -> HttpResponse:
    later = {"Cache-Control": "no-store"} | ({"Retry-After": "10"} if status == 503 else {})  # noqa: PLR2004 - its own name
    return HttpResponse(
        text, status=status, content_type="text/plain; charset=utf-8", headers=later
    )
