"""Writes the figures of a moment, and adds up what is over into coarser steps."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

import psycopg

from monitoring.collectors.questions import Questions, Row
from monitoring.history.figures import Figure

_SERIES: Final = """
    INSERT INTO monitoring_series (name, counter) SELECT * FROM unnest(%s::text[], %s::boolean[])
    ON CONFLICT (name) DO NOTHING
"""
_KNOWN: Final = "SELECT id, name FROM monitoring_series"
_POINTS: Final = """
    INSERT INTO monitoring_point_10s (at, series, value)
    SELECT %s, * FROM unnest(%s::int[], %s::float8[]) ON CONFLICT DO NOTHING
"""
# Whole steps only, from where the last sum ended; of a counter what it stood at last. `low` and
# `high` are of the finest figures.
_SUM: Final = """
    INSERT INTO {coarse} (at, series, value, low, high)
    SELECT date_bin(%(step)s::interval, p.at, 'epoch'), p.series,
           CASE WHEN bool_or(s.counter) THEN (array_agg(p.value ORDER BY p.at DESC))[1]
                ELSE avg(p.value) END,
           min(coalesce(p.low, p.value)), max(coalesce(p.high, p.value))
    FROM {fine} p JOIN monitoring_series s ON s.id = p.series
    WHERE p.at >= %(begins)s AND p.at < date_bin(%(step)s::interval, %(now)s, 'epoch')
    GROUP BY 1, 2
    ON CONFLICT DO NOTHING
"""
_LAST: Final = """
    SELECT max(at) + %(step)s::interval AS begins FROM {coarse}
    WHERE at > %(now)s - %(back)s::interval
"""
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
# (finer, coarser, its step, how long the finer is kept)
_STEPS: Final = (
    ("monitoring_point_10s", "monitoring_point_1m", _MINUTE, _DAY),
    ("monitoring_point_1m", "monitoring_point_1h", _HOUR, 14 * _DAY),
)


class Writer:
    """Knows the numbers of the series it has written before. For one thread."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}

    def write(self, cursor: psycopg.Cursor[Row], slot: datetime, figures: Iterable[Figure]) -> int:
        """How many were written. Within the caller's transaction."""
        found = list({figure.name: figure for figure in figures}.values())
        self._learn(cursor, found)
        ids = [self._ids[figure.name] for figure in found]
        cursor.execute(_POINTS, [slot, ids, [figure.value for figure in found]])
        return cursor.rowcount

    def _learn(self, cursor: psycopg.Cursor[Row], figures: list[Figure]) -> None:
        unknown = [figure for figure in figures if figure.name not in self._ids]
        if unknown:
            names = [figure.name for figure in unknown]
            cursor.execute(_SERIES, [names, [figure.counter for figure in unknown]])
            cursor.execute(_KNOWN)
            self._ids = {row["name"]: row["id"] for row in cursor.fetchall()}


def add_up(on: Questions, now: datetime) -> None:
    """Adds minutes and hours that are over, also those missed while nobody collected. Done twice it
    is done once. Raises psycopg.Error.
    """
    for fine, coarse, step, kept in _STEPS:
        with on.transaction(writes=True) as cursor:
            begins = _begins(cursor, coarse, now, step, kept)
            values = {"step": step, "begins": begins, "now": now}
            cursor.execute(_SUM.format(fine=fine, coarse=coarse).encode(), values)


def _begins(
    cursor: psycopg.Cursor[Row], coarse: str, now: datetime, step: timedelta, kept: timedelta
) -> datetime:
    """Where the last sum ended. Looked for near by first: the table has no index that tells."""
    for back in (3 * step, kept):
        query = _LAST.format(coarse=coarse).encode()
        cursor.execute(query, {"step": step, "now": now, "back": back})
        row = cursor.fetchone()
        if row and (found := row["begins"]):
            last: datetime = found
            return last
    return now - kept


def tend(on: Questions, now: datetime) -> tuple[int, int]:
    """(partitions made ahead, dropped) as of `now`. Raises psycopg.Error."""
    with on.transaction(writes=True) as cursor:
        cursor.execute("SELECT * FROM monitoring_tend_history(%s)", [now])
        row = cursor.fetchone() or {}
    return row.get("made", 0), row.get("dropped", 0)
