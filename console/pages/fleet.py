"""What worker processes say of themselves, counted for a page."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.http import HttpResponse

from console import fleetview
from console.pages import states
from console.pages.states import State
from monitoring.snapshots import WorkerSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """`in_flight` and `requests` are None until the process has asked a node anything."""

    worker: WorkerSnapshot
    state: State
    started_at: datetime
    seen_at: datetime
    in_flight: int | None
    requests: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """`reachable` is false where nobody could be asked: then the counts mean nothing."""

    reachable: bool
    rows: tuple[WorkerRow, ...]
    up: int
    stale: int
    gone: int
    rate: float
    read_at: datetime

    @property
    def total(self) -> int:
        return len(self.rows)


def load() -> Fleet:
    return counted(fleetview.look())


def counted(seen: fleetview.Fleet) -> Fleet:
    now = seen.read_at
    rows = tuple(_row(worker, now) for worker in seen.workers)
    by_state = [row.worker.state for row in rows]
    return Fleet(
        reachable=seen.reachable,
        rows=rows,
        up=by_state.count("up"),
        stale=by_state.count("stale"),
        gone=by_state.count("gone"),
        rate=sum(row.worker.rate for row in rows if row.worker.state == "up"),
        read_at=now,
    )


def cells(report: object, columns: Iterable[str], **own: object) -> dict[str, object]:
    """A row of a table that is downloaded: what is not given is of the report, and must be."""
    return {name: own[name] if name in own else getattr(report, name) for name in columns}


def process_name(worker: WorkerSnapshot) -> str:
    return f"{worker.pid}@{worker.host}"


def unreachable() -> HttpResponse:
    """What is answered for a table where nobody can be asked: an empty one would be a lie."""
    text = "No worker reports: the cache server does not answer. Runs go on.\n"
    later = {"Retry-After": "2", "Cache-Control": "no-store"}
    return HttpResponse(text, status=503, content_type="text/plain; charset=utf-8", headers=later)


def _row(worker: WorkerSnapshot, now: datetime) -> WorkerRow:
    return WorkerRow(
        worker=worker,
        state=states.of_worker(worker),
        started_at=datetime.fromtimestamp(worker.started_at, tz=now.tzinfo),
        seen_at=now - timedelta(seconds=worker.age_s),
        in_flight=worker.node.get("in_flight"),
        requests=worker.node.get("requests"),
    )
