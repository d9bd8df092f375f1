"""Reads what was measured: series of a range of time in steps of equal length, gaps as None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from django.db import connection

POINTS: Final = 60
_HOUR, _DAY = 3_600, 86_400
# (up to so long ago, the table with steps fine enough): some thousands of rows a line at most.
_TABLES: Final = (
    (_HOUR, "monitoring_point_10s"),
    (_DAY, "monitoring_point_1m"),
    (366 * _DAY, "monitoring_point_1h"),
)
# The first point ends where the range begins, so that a counter's first difference is known.
_READ: Final = """
    SELECT s.name, s.counter,
           floor(extract(epoch FROM p.at - %(begins)s) / %(step_s)s)::int AS place,
           CASE WHEN s.counter THEN (array_agg(p.value ORDER BY p.at DESC))[1]
                ELSE avg(p.value) END AS value,
           max(coalesce(p.high, p.value)) AS high
    FROM monitoring_series s JOIN {table} p ON p.series = s.id
    WHERE s.name = ANY (%(names)s) AND p.at >= %(begins)s AND p.at < %(ends)s
    GROUP BY 1, 2, 3 ORDER BY 1, 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """`points` of a counter are its growth a second; of the rest means. None: not measured."""

    name: str
    step_s: float
    points: tuple[float | None, ...]
    highest: float | None

    @property
    def newest(self) -> float | None:
        return next((point for point in reversed(self.points) if point is not None), None)

    @property
    def known(self) -> bool:
        return any(point is not None for point in self.points)


def read(
    names: Sequence[str], *, range_s: float, until: datetime, points: int = POINTS
) -> Mapping[str, Series]:
    """A series for each of `names`, all None where nothing is known of it. One query."""
    # As finely as figures come at most.
    step_s = max(range_s / points, 10.0)
    begins = until - timedelta(seconds=range_s + step_s)
    table = next((name for most, name in _TABLES if range_s <= most), _TABLES[-1][1])
    values: dict[str, Any] = {
        "names": list(names),
        "begins": begins,
        "ends": until,
        "step_s": step_s,
    }
    with connection.cursor() as cursor:
        cursor.execute(_READ.format(table=table), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    number = round(range_s / step_s) + 1
    return {
        name: _series(name, [r for r in rows if r[0] == name], step_s, number) for name in names
    }


def ratio(part: Series, whole: Series) -> tuple[float | None, ...]:
    """Point by point what part of `whole` it was; None where there was none of it."""
    return tuple(
        None if a is None or not b else min(1.0, a / b)
        for a, b in zip(part.points, whole.points, strict=True)
    )


def _series(name: str, rows: list[tuple[Any, ...]], step_s: float, number: int) -> Series:
    found: list[float | None] = [None] * number
    counter = False
    highest: float | None = None
    for _, counter, place, value, high in rows:  # noqa: B007 - the same for each row of a series
        if 0 <= place < number:
            found[place] = value
            highest = high if highest is None else max(highest, high)
    points = _growth(found, step_s) if counter else tuple(found[1:])
    if counter:
        highest = max((point for point in points if point is not None), default=None)
    return Series(name=name, step_s=step_s, points=points, highest=highest)


def _growth(found: Sequence[float | None], step_s: float) -> tuple[float | None, ...]:
    """A counter that fell began again, at a moment that nobody knows: that step is not known."""
    return tuple(
        None if now is None or before is None or now < before else (now - before) / step_s
        for before, now in pairwise(found)
    )
