"""Reads what was measured: series of a range of time in steps of equal length, gaps as None."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any, Final

from django.db import connection, transaction

from monitoring.collectors.questions import QUESTION_S

POINTS: Final = 60
_HOUR, _DAY = 3_600, 86_400
# (for so long a range at most, that begins so long ago at most, the table, its step): some
# thousands of rows a line.
_TABLES: Final = (
    (_HOUR, _DAY, "monitoring_point_10s", 10),
    (_DAY, 14 * _DAY, "monitoring_point_1m", 60),
    (366 * _DAY, 366 * _DAY, "monitoring_point_1h", _HOUR),
)
# Whatever else burns: a page waits so long at most for its lines, and not for a lock. Not
# read-only: that would outlast this in a transaction around it.
_LIMITS: Final = """
    SELECT set_config('statement_timeout', %s, true), set_config('lock_timeout', '500', true)
"""
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
    """`points` of a counter are its growth a second; of the rest means. None: not measured.
    `highs` are the highest of each step; empty where nobody tells.
    """

    name: str
    step_s: float
    points: tuple[float | None, ...]
    highest: float | None
    highs: tuple[float | None, ...] = ()

    @property
    def newest(self) -> float | None:
        return next((point for point in reversed(self.points) if point is not None), None)

    @property
    def known(self) -> bool:
        return any(point is not None for point in self.points)


def read(
    names: Sequence[str],
    *,
    range_s: float,
    until: datetime,
    points: int = POINTS,
    now: datetime | None = None,
) -> Mapping[str, Series]:
    """A series for each of `names`, all None where nothing is known of it. One query, of 2 s at
    most. Raises DatabaseError.
    """
    table, step_s = _steps(range_s, points, (now or until) - until)
    number = max(1, round(range_s / step_s)) + 1
    values: dict[str, Any] = {
        "names": list(names),
        "begins": until - timedelta(seconds=number * step_s),
        "ends": until,
        "step_s": step_s,
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_LIMITS, [str(int(QUESTION_S * 1000))])
        cursor.execute(_READ.format(table=table), values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {
        name: _series(name, [r for r in rows if r[0] == name], step_s, number) for name in names
    }


def points_of(range_s: float, *, until: datetime, now: datetime, points: int = POINTS) -> int:
    """How many points there are of such a range: `points`, or fewer where steps are coarser."""
    _, step_s = _steps(range_s, points, now - until)
    return max(1, round(range_s / step_s))


def _steps(range_s: float, points: int, ended_ago: timedelta) -> tuple[str, float]:
    """The finest table that still has what is asked for, and is not too fine for it; seconds a
    step.
    """
    begins_ago_s = range_s + max(0.0, ended_ago.total_seconds())
    for longest, kept, table, least in _TABLES:
        if range_s <= longest and begins_ago_s <= kept:
            return table, max(range_s / points, least)
    _, _, table, least = _TABLES[-1]
    return table, max(range_s / points, least)


def ratio(part: Series, whole: Series) -> tuple[float | None, ...]:
    """Point by point what part of `whole` it was; None where there was none of it."""
    return tuple(
        None if a is None or not b else min(1.0, a / b)
        for a, b in zip(part.points, whole.points, strict=True)
    )


def _series(name: str, rows: list[tuple[Any, ...]], step_s: float, number: int) -> Series:
    found: list[float | None] = [None] * number
    highs = found.copy()
    counter = False
    highest: float | None = None
    for _, counter, place, value, high in rows:  # noqa: B007 - the same for each row of a series
        if 0 <= place < number:
            found[place], highs[place] = value, high
            highest = high if highest is None else max(highest, high)
    points = _growth(found, step_s) if counter else tuple(found[1:])
    if counter:
        highest = max((point for point in points if point is not None), default=None)
    return Series(
        name=name,
        step_s=step_s,
        points=points,
        highest=highest,
        highs=() if counter else tuple(highs[1:]),
    )


def _growth(found: Sequence[float | None], step_s: float) -> tuple[float | None, ...]:
    """A counter that fell began again, at a moment that nobody knows: that step is not known."""
    return tuple(
        None if now is None or before is None or now < before else (now - before) / step_s
        for before, now in pairwise(found)
    )
