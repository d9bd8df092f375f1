"""Small lines of what was measured lately: which series, how their values are written."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from django.db import DatabaseError
from django.utils import timezone

from console.pages import figures
from monitoring.history import reading
from monitoring.history.reading import Series

type Points = tuple[float | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A line of `name`; with `of`, what share of that it is."""

    title: str
    name: str
    write: Callable[[float], str]
    of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trend:
    """`newest` and `highest` as they are written; empty where nothing was measured."""

    title: str
    points: Points
    newest: str
    highest: str

    @property
    def known(self) -> bool:
        return bool(self.newest)


def whole(value: float) -> str:
    return figures.count(round(value))


def octets(value: float) -> str:
    return figures.size(round(value))


def load(kinds: Sequence[Kind], *, range_s: float) -> list[Trend]:
    """In the order given. Where the database does not tell in time, nothing is known."""
    names = [name for kind in kinds for name in (kind.name, kind.of) if name]
    try:
        found = reading.read(names, range_s=range_s, until=timezone.now())
    except DatabaseError:
        found = {}
    return [_trend(kind, found) for kind in kinds]


def _trend(kind: Kind, found: Mapping[str, Series]) -> Trend:
    points = _points(kind, found)
    known = [point for point in points if point is not None]
    return Trend(
        title=kind.title,
        points=points,
        newest=kind.write(known[-1]) if known else "",
        highest=kind.write(max(known)) if known else "",
    )


def _points(kind: Kind, found: Mapping[str, Series]) -> Points:
    if kind.name not in found:
        return ()
    if kind.of:
        return reading.ratio(found[kind.name], found[kind.of])
    return found[kind.name].points
