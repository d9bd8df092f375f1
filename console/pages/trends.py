"""Lines of what was measured: which series, how their values are written, where they come from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError
from django.http import HttpRequest
from django.utils import timezone

from console.pages import figures, window
from console.pages.ribbon import RANGES
from console.pages.window import Window
from monitoring.history import looking, reading
from monitoring.history.looking import Looked
from monitoring.history.reading import Series

type Points = tuple[float | None, ...]

_HALF: Final = 0.5
# Of a step the most that there was: a breaker that was open for ten seconds of a minute was open.
_PEAKS: Final = frozenset(
    {
        *("breakers.open", "pools.waiting", "pgbouncer.waiting", "postgres.waiting_on_locks"),
        "workers.silent",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A line of `name`; with `of`, what share of that it is."""

    title: str
    name: str
    write: Callable[[float], str]
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """`newest` and `highest` as they are written; empty where nothing was measured. `unit`: how a
    browser writes them.
    """

    title: str
    points: Points
    newest: str
    highest: str
    unit: str = "count"

    @property
    def known(self) -> bool:
        return bool(self.newest)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charts:
    """The lines of a page over one stretch of time. `failure`: what was asked in vain."""

    window: Window
    trends: list[Trend]
    source: str
    failure: str
    moments: tuple[datetime, ...] = ()
    rows: list[tuple[datetime, list[str]]] = field(default_factory=list)
    ranges: tuple[str, ...] = tuple(RANGES)

    @property
    def data(self) -> dict[str, Any]:
        """What a browser draws: moments in seconds, and for each line a value at each."""
        return {
            "at": [moment.timestamp() for moment in self.moments],
            "begins": self.window.begins.timestamp(),
            "ends": self.window.ends.timestamp(),
            "lines": [
                {"title": trend.title, "unit": trend.unit, "points": trend.points}
                for trend in self.trends
            ],
        }


def whole(value: float) -> str:
    """Almost none is not none: of a mean it is one for a part of the time."""
    return f"{value:.1g}" if 0 < value <= _HALF else figures.count(round(value))


def octets(value: float) -> str:
    return figures.size(round(value))


_UNITS: Final[Mapping[Callable[[float], str], str]] = {
    whole: "count",
    octets: "bytes",
    figures.duration: "seconds",
    figures.per_second: "rate",
    figures.percent: "share",
}


def load(kinds: Sequence[Kind], *, range_s: float) -> list[Trend]:
    """In the order given. Where the database does not tell in time, nothing is known."""
    try:
        found = reading.read(_names(kinds), range_s=range_s, until=timezone.now())
    except DatabaseError:
        found = {}
    return [_trend(kind, found) for kind in kinds]


def charts(request: HttpRequest, kinds: Sequence[Kind]) -> Charts:
    """What the address asks for, from wherever such a range is."""
    wanted = _wanted(request)
    return _charts(kinds, wanted, _looked(kinds, wanted))


def charts_with(
    request: HttpRequest, kinds: Sequence[Kind], lines: Sequence[Kind], *, range_s: float
) -> tuple[Charts, list[Trend]]:
    """The charts, and lines of the last `range_s`: from one question where both are of that."""
    wanted = _wanted(request)
    if not wanted.name or wanted.length_s != range_s:
        return charts(request, kinds), load(lines, range_s=range_s)
    found = _looked([*kinds, *lines], wanted)
    return _charts(kinds, wanted, found), [_trend(kind, found.series) for kind in lines]


def _wanted(request: HttpRequest) -> Window:
    return window.of(request.GET.dict(), now=timezone.now().replace(microsecond=0))


def _looked(kinds: Sequence[Kind], wanted: Window) -> Looked:
    try:
        return looking.look(
            _names(kinds), range_s=wanted.length_s, until=wanted.ends, now=timezone.now()
        )
    except DatabaseError:
        return Looked(series={}, source="", failure="Postgres did not tell within 2 s.")


def _charts(kinds: Sequence[Kind], wanted: Window, found: Looked) -> Charts:
    trends = [_trend(kind, found.series) for kind in kinds]
    moments = _moments(wanted, max((len(trend.points) for trend in trends), default=0))
    return Charts(
        window=wanted,
        trends=trends,
        source=found.source,
        failure=found.failure,
        moments=moments,
        rows=_rows(kinds, trends, moments),
    )


def _names(kinds: Sequence[Kind]) -> list[str]:
    """Each once, however many lines are drawn of it."""
    return [*dict.fromkeys(name for kind in kinds for name in (kind.name, kind.of) if name)]


def _moments(shown: Window, number: int) -> tuple[datetime, ...]:
    """When each step ended."""
    step = timedelta(seconds=shown.length_s) / max(number, 1)
    return tuple(shown.ends - step * back for back in reversed(range(number)))


def _rows(
    kinds: Sequence[Kind], trends: Sequence[Trend], moments: Sequence[datetime]
) -> list[tuple[datetime, list[str]]]:
    """As a table, newest first; without the steps of which nothing is known."""
    found = []
    for place in reversed(range(len(moments))):
        values = [trend.points[place] if trend.points else None for trend in trends]
        if any(value is not None for value in values):
            written = [
                "–" if value is None else kind.write(value)
                for kind, value in zip(kinds, values, strict=True)
            ]
            found.append((moments[place], written))
    return found


def _trend(kind: Kind, found: Mapping[str, Series]) -> Trend:
    points = _points(kind, found)
    known = [point for point in points if point is not None]
    most = max(known, default=None) if kind.of or not known else found[kind.name].highest
    return Trend(
        title=kind.title,
        points=points,
        newest=kind.write(known[-1]) if known else "",
        highest="" if most is None else kind.write(most),
        unit=_UNITS.get(kind.write, "count"),
    )


def _points(kind: Kind, found: Mapping[str, Series]) -> Points:
    if kind.name not in found:
        return ()
    if kind.of:
        return reading.ratio(found[kind.name], found[kind.of])
    series = found[kind.name]
    return series.highs if kind.name in _PEAKS and series.highs else series.points
