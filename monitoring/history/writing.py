"""Writes the figures of a moment, and adds up what is over into coarser steps."""

from collections.abc import Iterable
from datetime import datetime
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
    WHERE p.at >= coalesce(
              (SELECT max(at) + %(step)s::interval FROM {coarse}
               WHERE at > clock_timestamp() - %(kept)s::interval),
              clock_timestamp() - %(kept)s::interval)
      AND p.at < date_bin(%(step)s::interval, %(now)s, 'epoch')
    GROUP BY 1, 2
    ON CONFLICT DO NOTHING
"""
# (finer, coarser, its step, how long the finer is kept)
_STEPS: Final = (
    ("monitoring_point_10s", "monitoring_point_1m", "1 minute", "1 day"),
    ("monitoring_point_1m", "monitoring_point_1h", "1 hour", "14 days"),
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
            query = _SUM.format(fine=fine, coarse=coarse)
            cursor.execute(query.encode(), {"step": step, "kept": kept, "now": now})


def tend(on: Questions, now: datetime) -> tuple[int, int]:
    """(partitions made ahead, dropped) as of `now`. Raises psycopg.Error."""
    with on.transaction(writes=True) as cursor:
        cursor.execute("SELECT * FROM monitoring_tend_history(%s)", [now])
        row = cursor.fetchone() or {}
    return row.get("made", 0), row.get("dropped", 0)
