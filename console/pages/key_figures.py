"""The six figures of the overview: each with its target, its line, its source and its age."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.urls import reverse

from console.capacity.live import granted
from console.capacity.seen import Seen
from console.fleetview import FleetCache
from console.pages import figures, throughput, trends
from console.pages.throughput import LastHour, Queue
from console.pages.trends import Kind, Points, Trend
from monitoring.alerts.catalogue import RULES

LINES: Final = {
    "breakers": Kind(title="Open breakers", name="breakers.open", write=trends.whole),
    "quick": Kind(
        title="Answers within 100 ms", name="http.quick", of="http.all", write=figures.percent
    ),
    "connections": Kind(
        title="Connections to Postgres", name="postgres.connections", write=trends.whole
    ),
    "cache": Kind(
        title="Cache hit rate", name="cache.hits", of="cache.lookups", write=figures.percent
    ),
    "queue": Kind(title="Queue", name="chunks.ready", write=trends.whole),
}
LINES_S: Final = 3_600.0
_STEP_S: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFigure:
    """`value` "": no data. `target`, and what which document `says` of it; "" where none names one.
    `age_s` None: of this moment.
    """

    title: str
    href: str
    value: str
    beside: str = ""
    target: str = ""
    says: str = ""
    points: Points = ()
    source: str
    age_s: float | None = None

    @property
    def has_line(self) -> bool:
        return any(point is not None for point in self.points)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the figures are made of, read once for the whole page."""

    seen: Seen
    breakers: Mapping[str, Any]
    cache: FleetCache
    hour: LastHour
    queue: Queue
    lines: Mapping[str, Trend]


def six(known: Known) -> tuple[KeyFigure, ...]:
    return (
        _breakers(known),
        _quick(known.lines["quick"]),
        _connections(known),
        _cache(known),
        _validations(known.hour),
        _queue(known),
    )


def _breakers(known: Known) -> KeyFigure:
    reported, number = known.breakers["reported"], known.breakers["open"]
    return KeyFigure(
        title="Open breakers",
        href=reverse("breakers"),
        value=figures.count(number) if reported else "",
        beside=f"of {figures.count(reported)}" if reported else "",
        target="target 0",
        says="001: open circuits 0",
        points=known.lines["breakers"].points,
        **_reports(known.seen),
    )


def _quick(line: Trend) -> KeyFigure:
    """One of twenty above 100 ms is a p95 above 100 ms; shares of processes add up, p95s do not."""
    return KeyFigure(
        title=line.title,
        href=reverse("overview") + "#charts",
        value=line.newest,
        target=f"target {_percent(1 - (RULES['http.slow'].warning or 0))}",
        says=_said("http.slow"),
        points=line.points,
        source="console, by the minute",
        age_s=_age(line.points),
    )


def _connections(known: Known) -> KeyFigure:
    told = known.seen.postgres
    there = told.sample.connections if told.sample else None
    number = sum(one.number for one in there) if there is not None else None
    most = granted(told.sample).granted if told.sample else 0
    return KeyFigure(
        title="Connections in use",
        href=reverse("pools"),
        value=figures.share(number, most) if number is not None and most else "",
        beside=f"{figures.count(number)} of {figures.count(most)}" if number is not None else "",
        target=f"limit {_percent(RULES['postgres.connections_used'].warning or 0)}",
        says=_said("postgres.connections_used"),
        points=known.lines["connections"].points,
        source="Postgres" if known.seen.fleet.reachable else "Valkey unreachable",
        age_s=told.age_s,
    )


def _cache(known: Known) -> KeyFigure:
    total = known.cache.total
    rate = total.hit_rate if total else None
    return KeyFigure(
        title="Cache hit rate",
        href=reverse("caches"),
        value="" if rate is None else figures.percent(rate),
        beside=f"{figures.count(total.total)} look-ups" if total and rate is not None else "",
        target="target 85\u202f%",
        says=_said("cache.hit_rate"),
        points=known.lines["cache"].points,
        **_reports(known.seen),
    )


def _validations(hour: LastHour) -> KeyFigure:
    bad = f"{figures.share(hour.not_valid, hour.done)} not valid in the hour" if hour.done else ""
    return KeyFigure(
        title="Validations",
        href=reverse("runs"),
        value=f"{figures.count(hour.last_minute)} /min",
        beside=bad,
        points=tuple(float(number) for number in hour.by_minute),
        source="closed chunks, by Postgres now",
    )


def _queue(known: Known) -> KeyFigure:
    queue = known.queue
    waits = throughput.waits_s(queue)
    ready = f"chunk{'' if queue.ready == 1 else 's'} ready"
    return KeyFigure(
        title="Queue",
        href=reverse("workers"),
        value=figures.count(queue.ready),
        beside=f"{ready}, {figures.count(queue.leased)} in work",
        target=f"oldest below {figures.duration(RULES['queue.oldest'].warning or 0)}",
        says=_said("queue.oldest"),
        points=known.lines["queue"].points,
        source=f"oldest run waits {figures.duration(waits)}" if waits else "Postgres, now",
    )


def _reports(seen: Seen) -> dict[str, Any]:
    """Source and age of what workers say: the oldest word that counts."""
    if not seen.fleet.reachable:
        return {"source": "Valkey unreachable"}
    up = seen.fleet.up
    number = f"{len(up)} worker{'' if len(up) == 1 else 's'}"
    return {"source": number, "age_s": max((one.age_s for one in up), default=None)}


def _age(points: Sequence[float | None]) -> float | None:
    known: Iterator[int] = (
        back for back, point in enumerate(reversed(points)) if point is not None
    )
    newest = next(known, 0)
    # The newest step is not over yet.
    return newest * _STEP_S if newest else None


def _said(rule: str) -> str:
    """What each document says, as the catalogue of alerts has it."""
    return "; ".join(f"{one.source}: {one.says}" for one in RULES[rule].said)


def _percent(share: float) -> str:
    return f"{100 * share:g}{figures.THIN}%"
