"""Moments of a history, as a collector would have written them and what adds up would keep."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection

from monitoring.history.distributions import FAMILIES, bound_name
from monitoring.history.figures import Figure

LAST: Final = 360
"""Moments of an hour, ten seconds each."""
_STEPS: Final = {
    10: "monitoring_point_10s",
    60: "monitoring_point_1m",
    3_600: "monitoring_point_1h",
}
_NAMES: Final = """
    INSERT INTO monitoring_series (name, counter) SELECT * FROM unnest(%s::text[], %s::boolean[])
    ON CONFLICT (name) DO NOTHING
"""
_POINTS: Final = """
    INSERT INTO {table} (at, series, value)
    SELECT told.at, s.id, told.value
    FROM unnest(%s::timestamptz[], %s::text[], %s::float8[]) AS told (at, name, value)
    JOIN monitoring_series s ON s.name = told.name
    ON CONFLICT DO NOTHING
"""

type At = Callable[[int], Iterable[Figure]]


def now() -> datetime:
    """A slot that began."""
    at = datetime.now(tz=UTC).replace(microsecond=0)
    return at - timedelta(seconds=at.second % 10)


def write(at: datetime, moments: Iterable[int], figures: At, *, step_s: int = 10) -> None:
    """`figures` of each moment: 359 is the last before `at`, and 0 began an hour ago where a step
    is of ten seconds.
    """
    slots = {at - timedelta(seconds=(LAST - n) * step_s): list(figures(n)) for n in moments}
    kinds = {one.name: one.counter for those in slots.values() for one in those}
    rows = [(slot, one.name, one.value) for slot, those in slots.items() for one in those]
    with connection.cursor() as cursor:
        cursor.execute(_NAMES, [list(kinds), list(kinds.values())])
        columns = [list(column) for column in zip(*rows, strict=True)]
        cursor.execute(_POINTS.format(table=_STEPS[step_s]), columns)


def gauge(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value))


def counter(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value), counter=True)


def answers(moment: int, *, each: int, within: dict[float, float], mean_s: float) -> list[Figure]:
    """`each` requests a moment; `within`: what share of them took so long at most."""
    done = float(each * moment)
    found = [counter("http.timed", done), counter("http.seconds", done * mean_s)]
    found += [counter("http.all", done), counter("http.failed", 0), counter("http.busy", 0)]
    share = 0.0
    for bound in FAMILIES["http"].bounds:
        share = within.get(bound, share)
        found.append(counter(bound_name("http", bound), round(done * share)))
    return found
