"""From series of the history to one figure, with how sure it is: pure."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from console.roadmap.gates.rows import Measure
from monitoring.history.distributions import FAMILIES, bound_name, names
from monitoring.history.reading import Series

type Points = tuple[float | None, ...]
_FIFTH: Final = 5
# Points come when their step is over, and coarse ones are added up once a minute.
_LATE_S: Final = 120.0
_P95: Final = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Reckoned:
    """`value` None: there is none, and `why` says it. The truth lies from `low` to `high`, which
    differ where buckets are all that is known. `known`: share of the window that is.
    """

    value: float | None = None
    low: float = math.nan
    high: float = math.nan
    samples: int = 0
    known: float = 0.0
    age_s: float | None = None
    why: str = ""
    # Why it was not under load, where it should have been: a good figure is none of it then.
    idle: str = ""


def figures_of(measure: Measure) -> tuple[str, ...]:
    """The names that it is made of, without its load."""
    if measure.family:
        return names(measure.family)
    return tuple(dict.fromkeys((*measure.figures, *measure.per)))


def read_of(measure: Measure) -> tuple[str, ...]:
    """All names that are read for it."""
    load = () if measure.load is None else (measure.load.figure,)
    return (*figures_of(measure), *load)


def reckon(measure: Measure, series: Mapping[str, Series]) -> Reckoned:
    """Of the measure's window: `series` are of it, and of it alone."""
    found = {name: series[name] for name in figures_of(measure) if name in series}
    if len(found) < len(figures_of(measure)):
        return Reckoned(why="The history cannot be read now.")
    step_s = next(iter(found.values())).step_s
    whole = [_point(values) for values in zip(*(one.points for one in found.values()), strict=True)]
    places = [place for place, values in enumerate(whole) if values is not None]
    known = len(places) / len(whole)
    if not places:
        return Reckoned(why=f"Nothing was measured in the last {_span(measure.window_s)}.")
    age_s = (len(whole) - 1 - places[-1]) * step_s
    if measure.by == "up" and age_s <= max(_LATE_S, 2 * step_s):
        # What is still to be told is not unknown.
        known = len(places) / (places[-1] + 1)
    told = _Told(dict(zip(found, zip(*(whole[p] or () for p in places), strict=True), strict=True)),
                 step_s, found)  # fmt: skip
    value, low, high, samples, why = _value(measure, told)
    if measure.by == "up":
        value = low = value * known
        high = low + (1 - known) * measure.scale
    if not why:
        why = _doubt(measure, samples=samples, known=known, age_s=age_s, step_s=step_s)
    if why:
        return Reckoned(samples=samples, known=known, age_s=age_s, why=why)
    return Reckoned(value=value, low=low, high=high, samples=samples, known=known, age_s=age_s,
                    idle=_idle(measure, series))  # fmt: skip


def pointwise(measure: Measure, series: Mapping[str, Series]) -> Points:
    """The same figure of each step, for a line: where it can be said of a step at all."""
    found = [series[name] for name in figures_of(measure) if name in series]
    if len(found) < len(figures_of(measure)) or not found:
        return ()
    columns = zip(*(one.points for one in found), strict=True)
    names_ = [one.name for one in found]
    return tuple(_of_step(measure, names_, values, found[0].step_s) for values in columns)


@dataclass(frozen=True, slots=True)
class _Told:
    """Points of each figure where all of them are known."""

    points: Mapping[str, Sequence[float]]
    step_s: float
    series: Mapping[str, Series]

    def grown(self, names_: Sequence[str]) -> float:
        return sum(math.fsum(self.points[name]) for name in names_) * self.step_s

    def added(self, names_: Sequence[str]) -> list[float]:
        return [sum(values) for values in zip(*(self.points[n] for n in names_), strict=True)]


type _Found = tuple[float, float, float, int, str]


def _value(measure: Measure, told: _Told) -> _Found:
    """(value, low, high, samples, why there is none), of what is known."""
    if measure.is_of_events:
        return _of_events(measure, told)
    points = told.added(measure.figures[:1] if measure.by == "up" else measure.figures)
    value = _aggregate(measure, points, told) * measure.scale
    if math.isnan(value):
        return value, value, value, len(points), "There is nothing that it could have grown from."
    return value, value, value, len(points), ""


def _aggregate(measure: Measure, points: list[float], told: _Told) -> float:
    match measure.by:
        case "max":
            # Of one gauge the highest within each step is known too.
            highs = told.series[measure.figures[0]].highs if len(measure.figures) == 1 else ()
            return max([*points, *(high for high in highs if high is not None)])
        case "min":
            return min(points)
        case "p95":
            return sorted(points)[math.ceil(_P95 * len(points)) - 1]
        case "growth":
            size = max(1, len(points) // _FIFTH)
            first, last = math.fsum(points[:size]), math.fsum(points[-size:])
            return 100 * (last / first - 1) if first else math.nan
    return math.fsum(points) / len(points)


def _of_events(measure: Measure, told: _Told) -> _Found:
    whole = measure.per or (f"{measure.family}.timed",)
    events = told.grown(whole)
    # An event is counted whole: what a rate lost in a sum comes back.
    samples = round(events)
    nothing = (math.nan, math.nan, math.nan)
    if samples == 0:
        return (
            *nothing,
            0,
            f"There were no {measure.counted} in the last {_span(measure.window_s)}.",
        )
    if measure.by == "quantile":
        counts = {bound: told.grown((bound_name(measure.family, bound),))
                  for bound in FAMILIES[measure.family].bounds}  # fmt: skip
        return _quantile(measure, counts, events, samples)
    part = measure.figures or (f"{measure.family}.seconds",)
    value = told.grown(part) / events * measure.scale
    return value, value, value, samples, ""


def _quantile(
    measure: Measure, counts: Mapping[float, float], events: float, samples: int
) -> _Found:
    """Between the two bounds where the rank is passed; in a straight line between them."""
    rank, below, lower = measure.at * events, 0.0, 0.0
    slack = 1e-6 * events
    for bound, count in counts.items():
        if count < below - slack or count > events + slack:
            why = "Its buckets do not fit each other: two releases count otherwise, both at work."
            return math.nan, math.nan, math.nan, samples, why
        if count >= rank - slack:
            share = (rank - below) / (count - below) if count > below else 1.0
            value = lower + (bound - lower) * min(1.0, max(0.0, share))
            return (value * measure.scale, lower * measure.scale, bound * measure.scale, samples,
                    "")  # fmt: skip
        below, lower = count, bound
    return lower * measure.scale, lower * measure.scale, math.inf, samples, ""


def _doubt(measure: Measure, *, samples: int, known: float, age_s: float, step_s: float) -> str:
    """Why it is no figure to judge by; "": it is one."""
    span = _span(measure.window_s)
    if age_s > max(_LATE_S, 2 * step_s):
        return f"Nothing was measured for {_span(age_s)}."
    if known < 1 - measure.gaps:
        least = _percent(1 - measure.gaps)
        return f"Of the last {span} {_percent(known)} is known; {least} is the least."
    if samples < measure.least:
        return f"{samples} {measure.counted} in the last {span}; {measure.least} is the least."
    return ""


def _idle(measure: Measure, series: Mapping[str, Series]) -> str:
    """Why it was not under load; "": it was, or need not be."""
    load = measure.load
    if load is None:
        return ""
    told = series.get(load.figure)
    points = () if told is None else told.points
    grown = round(math.fsum(each or 0.0 for each in points) * (told.step_s if told else 0.0))
    if grown >= load.least:
        return ""
    span = _span(measure.window_s)
    return f"{grown} {load.counted} in the last {span}: it takes {load.least} to be under load."


def _percent(share: float) -> str:
    """Not rounded up to what is the least."""
    return f"{math.floor(1000 * share + 1e-6) / 10:g}%"


def _point(values: Sequence[float | None]) -> tuple[float, ...] | None:
    known = tuple(value for value in values if value is not None)
    return known if len(known) == len(values) else None


def _of_step(
    measure: Measure, names_: Sequence[str], values: Sequence[float | None], step_s: float
) -> float | None:
    known = _point(values)
    if known is None:
        return None
    told = _Told({name: (value,) for name, value in zip(names_, known, strict=True)}, step_s, {})
    if measure.is_of_events:
        value, _, _, samples, why = _of_events(measure, told)
        return None if why or not samples else value
    return (
        told.added(measure.figures[:1] if measure.by == "up" else measure.figures)[0]
        * measure.scale
    )


def _span(seconds: float) -> str:
    for size, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= (2 * size if name == "days" else size):
            return (
                f"{seconds / size:g} {name}"
                if seconds % size == 0
                else f"{seconds / size:.1f} {name}"
            )
    return f"{seconds:.0f} s"
