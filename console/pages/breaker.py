"""One breaker: what is wanted, what it computes, what each worker obeys, and how it came about."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.exports import TABLE_FORMS, stream_table
from console.fleetview import Fleet, FleetBreaker, WorkerBreaker
from console.http import render_page
from console.pages import history, ribbon, states
from console.pages.act_forms import unit_of
from console.pages.breakers import counted, row_of
from console.pages.fleet import cells, process_name, unreachable
from console.pages.ribbon import DEFAULT_RANGE, RANGES, TICKS, Lane, Record
from console.pages.states import State
from monitoring.snapshots import WorkerSnapshot
from validation.models import ControlKind
from validation.resilience import THRESHOLDS

TEMPLATE = "console/breaker.html"
REGIONS = ("actions", "standing", "figures", "workers", "settings", "history")
COLUMNS = (
    *("worker", "worker_state", "state", "computed", "failure_rate", "slow_rate", "calls"),
    *("failures", "slow", "rejected", "trips", "p50_ms", "p95_ms", "retry_in_s"),
    *("forced_for_s", "revision", "acknowledged", "age_s"),
)
_MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRow:
    """`state` and `computed` as that process last said, however old its word is."""

    row: WorkerBreaker
    state: State
    computed: State
    process: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A transition that one process went through."""

    at: datetime
    process: str
    before: State
    after: State
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """A threshold: its values in force with how many workers have each, and the one wanted."""

    name: str
    unit: str
    text: str
    values: tuple[tuple[float, int], ...]
    wanted: float | None
    lasting: bool


@require_safe
def show(request: HttpRequest, name: str) -> HttpResponseBase:
    fleet = fleetview.look()
    found = find(name, fleet)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        if not fleet.reachable:
            return unreachable()
        rows = [_flat(row) for row in found.rows]
        return stream_table(f"breaker-{name}", form, COLUMNS, iter([rows]))
    wanted = request.GET.get("range", "")
    context = {**standing(found, fleet), **past(found, fleet, wanted), "topics": f"breaker:{name}"}
    return render_page(request, TEMPLATE, "ribbon", context)


def find(name: str, fleet: Fleet) -> FleetBreaker:
    """Of a configured node also before any worker made it; any other name nobody knows is none."""
    found = fleetview.breaker(name, fleet)
    if found is None:
        raise Http404(f"No worker reports a breaker {name}, and no operator touched one.")
    return found


def standing(found: FleetBreaker, fleet: Fleet) -> dict[str, Any]:
    """What the live regions show."""
    return {
        "section": "breakers",
        "fleet": fleet,
        "row": row_of(found),
        "found": found,
        "wanted": found.desired,
        "computed": counted(found.by_computed),
        "in_force": counted(found.by_state),
        "lagging": [process_name(worker) for worker in _lagging(found, fleet)],
        "worst": _worst(found.rows),
        "calls_a_minute": calls_a_minute(found),
        "workers": [_worker(row) for row in found.rows],
        "settings": settings_of(found),
        "history": history.of(ControlKind.BREAKER, found.name),
        "pulse": sum(len(row.report.transitions) for row in found.rows),
    }


def past(found: FleetBreaker, fleet: Fleet, wanted: str) -> dict[str, Any]:
    """What it did in the span of time that the address asks for."""
    chosen = wanted if wanted in RANGES else DEFAULT_RANGE
    until = fleet.read_at.timestamp()
    since = until - RANGES[chosen]
    processes = {row.worker.id: row.process for row in found.rows}
    return {
        "range": chosen,
        "ranges": list(RANGES),
        "ticks": TICKS[chosen],
        "lanes": _lanes(found, until, RANGES[chosen]),
        "changes": [
            Change(
                at=datetime.fromtimestamp(change.at, tz=UTC),
                process=processes[worker],
                before=states.of_breaker(change.before),
                after=states.of_breaker(change.after),
                cause=change.cause,
            )
            for worker, change in found.transitions
            if change.at >= since
        ],
    }


def calls_a_minute(found: FleetBreaker) -> float | None:
    """Calls that a change touches; None where the window is not of time, or nobody reports."""
    windows = [
        (row.report.calls, row.report.settings.get("window_s", 0.0))
        for row in found.rows
        if row.is_current
    ]
    if not windows or any(window <= 0 for _, window in windows):
        return None
    return sum(calls * _MINUTE_S / window for calls, window in windows)


def _lagging(found: FleetBreaker, fleet: Fleet) -> list[WorkerSnapshot]:
    """Workers that may be at work and have not read what is wanted."""
    return [
        worker
        for worker in fleet.workers
        if worker.state != "gone" and (worker.acknowledged or 0) < found.desired.revision
    ]


def _worst(rows: Sequence[WorkerBreaker]) -> WorkerBreaker | None:
    """The worker that fails most, where one can say so."""
    known = [row for row in rows if row.is_current and row.report.failure_rate is not None]
    return max(known, key=lambda row: row.report.failure_rate or 0.0, default=None)


def _worker(row: WorkerBreaker) -> WorkerRow:
    return WorkerRow(
        row=row,
        state=states.of_breaker(row.report.state),
        computed=states.of_breaker(row.report.computed),
        process=row.process,
    )


def settings_of(found: FleetBreaker) -> list[Setting]:
    """In the order of the reports; one that only an operator names comes last."""
    values: dict[str, Counter[float]] = defaultdict(Counter)
    for row in found.rows:
        if row.is_current:
            for name, value in row.report.settings.items():
                values[name][value] += 1
    wanted = found.desired.settings
    return [
        Setting(
            name=name,
            unit=unit_of(name),
            text=THRESHOLDS[name].text if name in THRESHOLDS else "",
            values=tuple(values[name].most_common()),
            wanted=wanted.get(name),
            lasting=name in wanted and found.desired.lasting.get(name) == wanted[name],
        )
        for name in [*values, *(name for name in wanted if name not in values)]
    ]


def _lanes(found: FleetBreaker, until: float, span_s: float) -> tuple[Lane, ...]:
    records = [
        Record(
            process=row.process,
            title=row.worker.id,
            state=row.report.state,
            made_at=row.report.made_at,
            seen_at=until - row.age_s if not row.is_current else until,
            transitions=row.report.transitions,
        )
        for row in found.rows
    ]
    return ribbon.lanes(records, until=until, span_s=span_s)


def _flat(row: WorkerBreaker) -> dict[str, object]:
    worker = row.worker
    return cells(
        row.report,
        COLUMNS,
        worker=worker.id,
        worker_state=worker.state,
        acknowledged=worker.acknowledged,
        age_s=row.age_s,
    )
