"""Gathers what gates are judged by: one question to the history a window, and what else is live."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import Q
from psycopg_pool import PoolTimeout, TooManyRequests

from console import capacity
from console.capacity import readiness
from console.experiments import standing as experiments
from console.rehearsals import standing as rehearsals
from console.roadmap.gates.facts import Facts, Fired, Point, Verdict, verdict_of
from console.roadmap.gates.reckoning import Points, Reckoned, pointwise, read_of, reckon
from console.roadmap.gates.rows import Measure
from monitoring.history import reading
from monitoring.history.reading import Series
from monitoring.models import Alert

LINE_S: Final = 86_400.0
LINE_POINTS: Final = 48
_AWAY: Final = (DatabaseError, InterfaceError, PoolTimeout, TooManyRequests)

log = structlog.get_logger(__name__)


def gather(measures: Iterable[Measure], now: datetime) -> Facts:
    found = list(measures)
    return Facts(
        now=now,
        measures=reckoned(found, now),
        verdicts=_verdicts(),
        limits=_limits(),
        readiness=_readiness(),
        alerts=_fired(now, max((one.window_s for one in found), default=0.0)),
        drills=_drills(),
    )


def reckoned(measures: Iterable[Measure], now: datetime) -> dict[str, Reckoned]:
    """Without those whose history cannot be read."""
    by_window: dict[tuple[float, int], list[Measure]] = defaultdict(list)
    for measure in measures:
        by_window[measure.window_s, measure.points].append(measure)
    told: dict[str, Reckoned] = {}
    for (window_s, points), those in by_window.items():
        series = _series(those, now, range_s=window_s, points=points)
        if series is None:
            # What was slow or locked a moment ago is not waited for once more.
            break
        told.update((one.id, reckon(one, series)) for one in those)
    return told


def lines(measures: Iterable[Measure], now: datetime) -> dict[str, Points]:
    """Of the last day, by measure."""
    those = list(measures)
    series = _series(those, now, range_s=LINE_S, points=LINE_POINTS)
    return {one.id: pointwise(one, series) for one in those if series is not None}


def _series(
    measures: Iterable[Measure], now: datetime, *, range_s: float, points: int
) -> Mapping[str, Series] | None:
    names = sorted({name for one in measures for name in read_of(one)})
    try:
        return reading.read(names, range_s=range_s, until=now, points=points, now=now)
    except _AWAY as exc:
        log.warning("gates.no_history", error=type(exc).__name__)
        return None


def _verdicts() -> dict[str, Verdict]:
    try:
        with transaction.atomic():
            told = experiments.of()
    except _AWAY:
        return {}
    done = {one.key: one.newest for one in told if one.newest is not None}
    return {key: verdict_of(row.verdict, row.found, row.ended_at) for key, row in done.items()}


def _limits() -> dict[str, Point]:
    """What capacity asks is away: it says so itself."""
    return {one.key: Point(holds=one.holds, words=one.title) for one in capacity.limits()}


def _readiness() -> dict[str, Point]:
    found = readiness.readiness()
    return {one.key: Point(holds=one.holds, words=one.title) for one in found}


def _fired(now: datetime, window_s: float) -> tuple[Fired, ...] | None:
    """Those that were firing at any time of it, whenever they began."""
    since = now - timedelta(seconds=window_s)
    lasted = Q(cleared_at__isnull=True) | Q(cleared_at__gt=since)
    rows = Alert.objects.filter(lasted, fired_at__lte=now)
    try:
        with transaction.atomic():
            told = list(rows.values_list("rule", "severity", "cleared_at"))
    except _AWAY:
        return None
    return tuple(
        Fired(rule=rule, severity=severity, until=cleared_at or now)
        for rule, severity, cleared_at in told
    )


def _drills() -> dict[tuple[str, str], Point]:
    """What failed on this code is broken; what is of other code, or old, is not known."""
    try:
        with transaction.atomic():
            told = rehearsals.newest()
    except _AWAY:
        return {}
    return {key: _rehearsed(one) for key, one in told.items()}


def _rehearsed(one: rehearsals.Rehearsed) -> Point:
    if one.is_one_way or one.is_fresh:
        return Point(holds=one.is_fresh, words=one.words)
    too_old = ", too long ago" if one.passed and one.on_this_code else ""
    return Point(holds=None, words=one.words + too_old)
