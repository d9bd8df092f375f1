"""Where a range of time is looked up: long ones in Prometheus where there is one; all else, and
what Prometheus cannot say, in Postgres.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.conf import settings

from monitoring.history import prometheus, reading
from monitoring.history.expressions import EXPRESSIONS
from monitoring.history.prometheus import Unanswered
from monitoring.history.reading import POINTS, Series

# Longer than this is long; up to it the steps of Postgres are as fine as any.
LONG_S: Final = 6 * 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """`failure`: why Prometheus did not tell, where it was asked."""

    series: Mapping[str, Series]
    source: str
    failure: str = ""


def look(
    names: Sequence[str],
    *,
    range_s: float,
    until: datetime,
    now: datetime,
    points: int = POINTS,
) -> Looked:
    """A series for each of `names`. Raises DatabaseError where Postgres is asked in vain."""
    # The same steps from either, whoever has coarser ones.
    points = reading.points_of(range_s, until=until, now=now, points=points)
    found: dict[str, Series] = {}
    failure = ""
    if settings.PROMETHEUS_URL and range_s > LONG_S:
        asked = [name for name in names if name in EXPRESSIONS]
        try:
            found = _known(asked, range_s=range_s, until=until, points=points)
        except Unanswered as exc:
            failure = str(exc)
    rest = [name for name in names if name not in found]
    if not rest:
        return Looked(series=found, source="Prometheus")
    kept = reading.read(rest, range_s=range_s, until=until, points=points, now=now)
    both = "Prometheus and Postgres" if found else "Postgres"
    return Looked(series={**found, **kept}, source=both, failure=failure)


def _known(
    names: Sequence[str], *, range_s: float, until: datetime, points: int
) -> dict[str, Series]:
    """Of `names` those that it knows anything of: what it was never told may be in Postgres."""
    if not names:
        return {}
    server = prometheus.at(settings.PROMETHEUS_URL)
    told = server.read(names, range_s=range_s, until=until, points=points)
    return {name: series for name, series in told.items() if series.known}
