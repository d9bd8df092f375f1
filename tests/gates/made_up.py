"""Series that never were, and gates over them."""

from datetime import UTC, datetime
from typing import Any

from console.roadmap.gates.facts import Facts
from console.roadmap.gates.judging import Known
from console.roadmap.gates.reckoning import Points, Reckoned
from console.roadmap.gates.rows import Measure
from monitoring.history.distributions import FAMILIES, bound_name, names
from monitoring.history.reading import Series

NOW = datetime(2030, 1, 7, 12, tzinfo=UTC)
STEP_S = 10.0


def measure(**more: Any) -> Measure:
    """The mean of a gauge over a minute, of which there are six points."""
    said: dict[str, Any] = {"by": "mean", "window_s": 60.0, "least": 5, "link": "/workers/"}
    if more.get("by") not in {"average", "quantile"}:
        said["figures"] = ("a",)
    return Measure(id="m", title="m", unit="ms", **(said | more))


def series(name: str = "a", *points: float | None, highs: Points = ()) -> dict[str, Series]:
    known = [point for point in points if point is not None]
    highest = max(known, default=None)
    return {
        name: Series(name=name, step_s=STEP_S, points=points, highest=highest, highs=highs),
    }


def family(
    name: str, counts: dict[float, float], timed: float, seconds: float
) -> dict[str, Series]:
    """Of a histogram: what it grew by in a minute, evenly; bounds not named follow those below."""
    grown, below = {f"{name}.timed": timed, f"{name}.seconds": seconds}, 0.0
    for bound in FAMILIES[name].bounds:
        below = counts.get(bound, below)
        grown[bound_name(name, bound)] = below
    found: dict[str, Series] = {}
    for each in names(name):
        found |= series(each, *[grown[each] / 60.0] * 6)
    return found


def known(*measures: Measure, **more: Any) -> Known:
    said: dict[str, Any] = {"flags": {}, "built": frozenset()}
    return Known(measures={row.id: row for row in measures}, **(said | more))


def facts(reckoned: Reckoned | None = None, **more: Any) -> Facts:
    measures = {} if reckoned is None else {"m": reckoned}
    return Facts(now=NOW, measures=measures, **more)


def told(value: float, **more: Any) -> Reckoned:
    said: dict[str, Any] = {"low": value, "high": value, "samples": 300, "known": 1.0, "age_s": 0.0}
    return Reckoned(value=value, **(said | more))
