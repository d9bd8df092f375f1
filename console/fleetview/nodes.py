"""Nodes over the fleet: where each stands, how it answers, and what it was caught at."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from django.db.models import Count, Max

from console.access.models import AuditEntry
from console.controls import names
from console.controls.node_table import Place, places
from console.controls.orders import Order, desired
from console.fleetview.fleet import Fleet, look
from console.fleetview.rows import Row, most, oldest, summed
from monitoring.snapshots import NodeReport, PoolReport
from validation.models import Catch, ControlKind

# Heads are read every five seconds, given two to answer, of cordoned nodes too: two in vain are no
# chance, and a third would come after the alert.
SILENT_S = 12.0
# What puts a node (back) into service; it is judged by what it was caught at since.
_FREED = ("add", "uncordon", "revert")

type NodeState = Literal["caught", "unreachable", "cordoned", "in_service"]


class WorkerNode(Row[NodeReport]):
    """One node as one worker process sees it, by its own report of `age_s` ago."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CaughtAt:
    """A check that a node's answers failed, where those of an honest one cannot."""

    check: str
    count: int
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNode:
    """One node: what is wanted of it from Postgres, how it answers from the workers that are up.

    None, of a figure: no worker that is up can say.
    """

    place: Place
    state: NodeState
    # Workers up that report it, and how many of them ask it.
    workers: int
    asked_by: int
    head: int | None
    # Of the youngest word of a head.
    head_age_s: float | None
    # Blocks behind the newest head that any node told the same worker; the worst worker's.
    lag: int | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    # The worst worker's; 1 is best.
    score: float | None
    # Since the processes started; failures by reason, of work and of questions for the head.
    calls: int | None
    failures: Mapping[str, int]
    caught: tuple[CaughtAt, ...]
    rows: tuple[WorkerNode, ...]
    age_s: float | None

    @property
    def label(self) -> str:
        return self.place.label

    @property
    def name(self) -> str:
        """As addresses hold it."""
        return names.in_address(self.label)

    @property
    def failed(self) -> int | None:
        return sum(self.failures.values()) if self.workers else None

    @property
    def times_caught(self) -> int:
        return sum(one.count for one in self.caught)

    @property
    def breakers(self) -> list[str]:
        return names.of_node(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNodes:
    """All of them in their order, and how many of the `heard` workers obey what is desired."""

    nodes: tuple[FleetNode, ...]
    desired: Order
    acknowledged: int
    heard: int

    @property
    def in_service(self) -> int:
        return sum(node.place.in_service for node in self.nodes)

    @property
    def head(self) -> int | None:
        return max((node.head for node in self.nodes if node.head is not None), default=None)


def nodes(fleet: Fleet | None = None) -> FleetNodes:
    fleet = fleet or look()
    wanted = desired(ControlKind.NODES, "")
    standing = places()
    labels = [place.label for place in standing]
    caught, freed = _caught(labels), _freed(labels)
    told = [(worker, report) for worker in fleet.workers for report in worker.nodes]
    pools = [pool for worker in fleet.up for pool in worker.pools]
    return FleetNodes(
        nodes=tuple(
            _gathered(
                place,
                rows=[WorkerNode(worker=w, report=r) for w, r in told if r.label == place.label],
                pools=[pool for pool in pools if pool.pool == place.label],
                caught=caught.get(place.label, ()),
                freed_at=freed.get(place.label),
            )
            for place in standing
        ),
        desired=wanted,
        acknowledged=fleet.acknowledged(wanted.revision),
        heard=fleet.heard,
    )


def _gathered(
    place: Place,
    *,
    rows: list[WorkerNode],
    pools: Sequence[PoolReport],
    caught: tuple[CaughtAt, ...],
    freed_at: datetime | None,
) -> FleetNode:
    rows.sort(key=lambda row: (not row.is_current, row.worker.id))
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    lately = [one for one in caught if freed_at is None or one.last_at > freed_at]
    heads = [report.head for report in reports if report.head is not None]
    ages = [report.head_age_s for report in reports if report.head_age_s is not None]
    lags = [report.lag for report in reports if report.lag is not None]
    return FleetNode(
        place=place,
        state=_state(place, reports, caught_lately=bool(lately)),
        workers=len(now),
        asked_by=sum(report.in_service for report in reports),
        head=max(heads, default=None),
        head_age_s=min(ages, default=None),
        lag=max(lags, default=None),
        latency_p50_ms=most(reports, "latency_p50_ms"),
        latency_p95_ms=most(reports, "latency_p95_ms"),
        score=min((r.score for r in reports if r.score is not None), default=None),
        calls=summed(pools, "calls"),
        failures=dict(sum((Counter(report.failures) for report in reports), Counter())),
        caught=caught,
        rows=tuple(rows),
        age_s=oldest(now),
    )


def _state(place: Place, reports: Sequence[NodeReport], *, caught_lately: bool) -> NodeState:
    """The worst that is so. Where nobody reports, what Postgres says."""
    if caught_lately:
        return "caught"
    if not place.in_service:
        return "cordoned"
    silent = [r.head_age_s is None or r.head_age_s > SILENT_S for r in reports]
    return "unreachable" if silent and all(silent) else "in_service"


def _caught(labels: Iterable[str]) -> Mapping[str, tuple[CaughtAt, ...]]:
    """Of each node, most first."""
    rows = (
        Catch.objects.filter(label__in=list(labels))
        .order_by()
        .values_list("label", "check_name")
        .annotate(count=Count("id"), last_at=Max("caught_at"))
    )
    found: dict[str, list[CaughtAt]] = {}
    for label, check, count, last_at in rows:
        found.setdefault(label, []).append(CaughtAt(check=check, count=count, last_at=last_at))
    return {
        label: tuple(sorted(all_of_it, key=lambda one: (-one.count, one.check)))
        for label, all_of_it in found.items()
    }


def _freed(labels: Iterable[str]) -> Mapping[str, datetime]:
    """When an operator last let each be asked, and nobody took that back."""
    acts = AuditEntry.objects.filter(
        kind=ControlKind.NODES,
        target__in=list(labels),
        action__in=_FREED,
        after__state="in_service",
        reverted_by=None,
    )
    return dict(acts.order_by().values_list("target").annotate(last=Max("at")))
