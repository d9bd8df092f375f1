"""A node's drill: what it would have to do to fool this deployment, level by level."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_http_methods

from console import drills, fleetview
from console.access.roles import requires
from console.controls import Busy, turns
from console.http import render_page
from console.pages import asking, node
from console.pages.states import State
from console.templatetags.switchyard import LEVELS
from validation.devnode.lies import LIES
from validation.drill import Cell, Report, Row, Told

TEMPLATE = "console/drill.html"
_BUSY, _BAD_GATEWAY, _TOO_MANY = 503, 502, 429
_RETRY_S = "20"

STATES: dict[Told, State] = {
    Told.BELIEVED: State(glyph="open", word="Believed"),
    Told.DENIED: State(glyph="half", word="Not found"),
    Told.DOUBTED: State(glyph="half", word="Unverifiable"),
    Told.REFUSED: State(glyph="closed", word="Refused"),
    Told.CAUGHT: State(glyph="closed", word="Caught"),
    Told.HARMLESS: State(glyph="closed", word="No harm"),
}
_WORST = tuple(Told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What became of a lie at a level, of the kinds of which the same became."""

    state: State
    by: str
    kinds: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One lie at one level; `state` is the worst of its parts, None where it was not told."""

    level: int
    word: str
    state: State | None
    parts: tuple[Part, ...]

    @property
    def said(self) -> str:
        parts = (f"{p.state.word} ({p.by}): {p.kinds}" for p in self.parts)
        return f"Level {self.level}, {self.word}: " + ("; ".join(parts) or "not told")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    row: Row
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """A level: how many lies it believes, of how many that were told there."""

    level: int
    word: str
    believed: int
    told: int
    is_current: bool


@require_http_methods(["GET", "HEAD", "POST"])
def show(request: HttpRequest, label: str) -> HttpResponseBase:
    return _run(request, label) if request.method == "POST" else page(request, label)


@requires("operator")
def _run(request: HttpRequest, label: str) -> HttpResponseBase:
    found = node.find(label, fleetview.nodes())
    try:
        drills.run(asking.actor_of(request), found.label)
    except Busy as busy:
        answer = page(request, label, refusal=str(busy), status=_TOO_MANY)
        answer["Retry-After"] = str(turns.RETRY_AFTER_S)
        return answer
    except drills.Drilling as busy:
        answer = page(request, label, refusal=str(busy), status=_BUSY)
        answer["Retry-After"] = _RETRY_S
        return answer
    except drills.Undrilled as failed:
        return page(request, label, refusal=str(failed), status=_BAD_GATEWAY)
    return page(request, label)


def page(request: HttpRequest, label: str, *, refusal: str = "", status: int = 200) -> HttpResponse:
    found = node.find(label, fleetview.nodes())
    report = drills.last(found.label)
    context: dict[str, Any] = {
        "section": "nodes",
        "node": found,
        "refusal": refusal,
        "is_running": drills.is_running(),
        "longest_s": drills.LONGEST_S,
        "lies": len(LIES),
    }
    if report is not None:
        context |= _shown(request, report)
    if request.headers.get("HX-Request"):
        status = 200  # htmx shows what came of it, whatever came
    return render_page(request, TEMPLATE, "drill", context, status=status)


def _shown(request: HttpRequest, report: Report) -> dict[str, Any]:
    level = _level(request, report)
    rungs = [_rung(report, at, current=level) for at in range(len(LEVELS))]
    lines = sorted((line_of(row) for row in report.rows if row.cells), key=_danger)
    return {
        "report": report,
        "made_at": datetime.fromtimestamp(report.made_at, UTC),
        "level": rungs[level],
        "rungs": rungs,
        "fooled_by": list(report.believed(level)),
        "lines": lines,
        "untold": [row for row in report.rows if not row.cells],
        "broken": len({row.lie for row, _ in report.broken_promises()}),
        "words": [(level, word) for level, word in enumerate(LEVELS)],
    }


def _level(request: HttpRequest, report: Report) -> int:
    """As the address says; else the highest that needs no time to pass."""
    asked = request.GET.get("level", "")
    if asked in {str(level) for level in range(len(LEVELS))}:
        return int(asked)
    return 4 if report.checkpoint else 3


def _rung(report: Report, level: int, *, current: int) -> Rung:
    told = [row for row in report.rows if row.at(level) and not row.is_harmless]
    return Rung(
        level=level,
        word=LEVELS[level],
        believed=sum(row.is_believed(level) for row in told),
        told=len(told),
        is_current=level == current,
    )


def line_of(row: Row) -> Line:
    marks = (_mark(row, level) for level in range(len(LEVELS)))
    return Line(row=row, marks=tuple(marks))


def _mark(row: Row, level: int) -> Mark:
    cells = row.at(level)
    worst = min((cell.told for cell in cells), key=_WORST.index, default=None)
    state = STATES[worst] if worst else None
    parts = tuple(_parts(cells))
    return Mark(level=level, word=LEVELS[level], state=state, parts=parts)


def _parts(cells: tuple[Cell, ...]) -> Iterator[Part]:
    kinds: dict[tuple[Told, str], list[str]] = {}
    for cell in cells:
        kinds.setdefault((cell.told, cell.by), []).append(cell.kind)
    for told, by in sorted(kinds, key=lambda one: _WORST.index(one[0])):
        yield Part(state=STATES[told], by=by, kinds=", ".join(kinds[told, by]))


def _danger(line: Line) -> tuple[int, int]:
    """What is believed at the highest level comes first."""
    levels = [mark.level for mark in line.marks if mark.state is STATES[Told.BELIEVED]]
    return -max(levels, default=-1), -len(levels)
