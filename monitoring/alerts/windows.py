"""How much was counted in the last minutes and hours, of the counters that rules are about.

Read from history, so that it does not matter who looks. A counter that fell began again: only what
it grew by counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from monitoring.collectors.questions import Questions

MINUTES: Final = (1, 5, 10, 30, 60, 360)
_COUNTERS: Final = (
    *("validations.all", "validations.error", "rpc.all", "rpc.failed", "cache.lookups"),
    *("cache.hits", "http.all", "http.failed", "http.quick"),
    *("http.le.0.15", "cache.l2_lookups", "cache.l2_failed"),
    *("postgres.blocks_hit", "postgres.blocks_read"),
)
# Newer than this, or what was counted since is not known.
_FRESH_S: Final = 60

_GROWN: Final = f"""
    WITH grown AS (
        SELECT s.name, p.at, p.value
               - lag(p.value) OVER (PARTITION BY p.series ORDER BY p.at) AS by
        FROM monitoring_series s JOIN monitoring_point_10s p ON p.series = s.id
        WHERE s.name = ANY (%(names)s) AND p.at <= %(now)s
          AND p.at > %(now)s - interval '{MINUTES[-1]} minutes'
    )
    SELECT name, max(at) > %(now)s - interval '{_FRESH_S} seconds' AS fresh,
           {
    ", ".join(
        f"coalesce(sum(by) FILTER (WHERE by > 0 AND at > %(now)s - interval '{m} minutes'), 0)"
        f"::float8 AS m{m}"
        for m in MINUTES
    )
}
    FROM grown GROUP BY name
"""
_SILENT: Final = """
    SELECT extract(epoch FROM %(now)s - slot)::float8 AS silent_s FROM monitoring_collector
    WHERE slot > 'epoch'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What part of `all` it was; `value` None: there was none, or it is not known."""

    value: float | None
    all: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """`grown`: by counter and minutes; a counter that history does not know of late is not in it.
    `silent_s` None: nothing was ever kept.
    """

    grown: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    silent_s: float | None = None

    def share(self, part: str, whole: str, minutes: int) -> Share | None:
        """None: not known. Of nothing no part is known, and there was nothing."""
        if part not in self.grown or whole not in self.grown:
            return None
        some, every = self.grown[part][minutes], self.grown[whole][minutes]
        return Share(value=min(1.0, some / every) if every else None, all=every)


def read(on: Questions, now: datetime) -> Windows:
    """Raises psycopg.Error."""
    rows = on.ask(_GROWN, {"names": list(_COUNTERS), "now": now})
    silent = on.ask(_SILENT, {"now": now})
    return Windows(
        grown={row["name"]: _by_minutes(row) for row in rows if row["fresh"]},
        silent_s=silent[0]["silent_s"] if silent else None,
    )


def _by_minutes(row: Mapping[str, Any]) -> dict[int, float]:
    return {minutes: row[f"m{minutes}"] for minutes in MINUTES}
