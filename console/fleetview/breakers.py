"""Breakers over the fleet: the state in each worker, counted and never averaged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console.controls.names import configured
from console.controls.orders import Order, orders
from console.fleetview.fleet import Fleet, look
from monitoring.snapshots import BreakerReport, Transition, WorkerSnapshot
from validation.models import ControlKind

# The worst first: what blocks by itself before what an operator blocked and knows of.
WORST = (
    *("open", "forced_open", "half_open", "disabled", "forced_closed", "metrics_only"),
    "closed",
)
_RANK = {state: rank for rank, state in enumerate(WORST)}
_TRANSITIONS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerBreaker:
    """One breaker in one worker process, by its own report of `age_s` ago."""

    worker: WorkerSnapshot
    report: BreakerReport
    # Whether this process has read what operators want of this breaker.
    acknowledged: bool

    @property
    def age_s(self) -> float:
        return self.worker.age_s

    @property
    def is_current(self) -> bool:
        """Only the word of a worker that is up says what is so now."""
        return self.worker.state == "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetBreaker:
    """One breaker over all workers. Counts and rates are sums over workers that are up.

    `state` and `computed` are the worst of them; None, like every rate: no data.
    """

    name: str
    desired: Order
    # Of the workers up or stale, how many obey what is desired.
    acknowledged: int
    workers: int
    # Of the workers up: how many in which state. One that never used the breaker is in none.
    by_state: dict[str, int]
    by_computed: dict[str, int]
    state: str | None
    computed: str | None
    rows: tuple[WorkerBreaker, ...]
    calls: int
    failures: int
    slow: int
    rejected: int
    trips: int
    failure_rate: float | None
    slow_rate: float | None
    # The slowest worker's; the next to probe.
    p95_ms: float | None
    retry_in_s: float | None
    # Newest first, with the worker that went through it.
    transitions: tuple[tuple[str, Transition], ...]
    # How old the oldest word in these figures is; None: there is none.
    age_s: float | None

    @property
    def reporting(self) -> int:
        """Workers up that have this breaker."""
        return sum(self.by_state.values())

    @property
    def spread(self) -> str:
        """`open on 2 of 6 workers`; "" where nobody reports."""
        if self.state is None:
            return ""
        word = self.state.replace("_", " ")
        noun = "worker" if self.workers == 1 else "workers"
        return f"{word} on {self.by_state[self.state]} of {self.workers} {noun}"

    @property
    def is_acknowledged(self) -> bool:
        return self.workers > 0 and self.acknowledged == self.workers


def breakers(fleet: Fleet | None = None) -> list[FleetBreaker]:
    """Every breaker that is configured, reported or was ever touched, the worst first."""
    fleet = fleet or look()
    wanted = orders(ControlKind.BREAKER)
    names = {report.name for worker in fleet.workers for report in worker.breakers}
    names |= configured()
    found = [
        _gathered(name, wanted.get(name) or Order(kind=ControlKind.BREAKER, name=name), fleet)
        for name in names | set(wanted)
    ]
    return sorted(found, key=_badness)


def breaker(name: str, fleet: Fleet | None = None) -> FleetBreaker | None:
    """None where there is none of that name."""
    return next((found for found in breakers(fleet) if found.name == name), None)


def _gathered(name: str, wanted: Order, fleet: Fleet) -> FleetBreaker:
    rows = sorted(
        (
            WorkerBreaker(
                worker=worker,
                report=report,
                acknowledged=(worker.acknowledged or 0) >= wanted.revision,
            )
            for worker in fleet.workers
            for report in worker.breakers
            if report.name == name
        ),
        key=lambda row: (not row.is_current, _rank(row.report.state), row.worker.id),
    )
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    calls = sum(report.calls for report in reports)
    failures = sum(report.failures for report in reports)
    slow = sum(report.slow for report in reports)
    return FleetBreaker(
        name=name,
        desired=wanted,
        acknowledged=fleet.acknowledged(wanted.revision),
        workers=fleet.heard,
        by_state=dict(Counter(report.state for report in reports)),
        by_computed=dict(Counter(report.computed for report in reports)),
        state=_worst([report.state for report in reports]),
        computed=_worst([report.computed for report in reports]),
        rows=tuple(rows),
        calls=calls,
        failures=failures,
        slow=slow,
        rejected=sum(report.rejected for report in reports),
        trips=sum(report.trips for report in reports),
        failure_rate=failures / calls if calls else None,
        slow_rate=slow / calls if calls else None,
        p95_ms=max((r.p95_ms for r in reports if r.p95_ms is not None), default=None),
        retry_in_s=min((r.retry_in_s for r in reports if r.retry_in_s is not None), default=None),
        transitions=_transitions(rows),
        age_s=max((row.age_s for row in now), default=None),
    )


def _transitions(rows: Sequence[WorkerBreaker]) -> tuple[tuple[str, Transition], ...]:
    every = [(row.worker.id, change) for row in rows for change in row.report.transitions]
    return tuple(sorted(every, key=lambda pair: -pair[1].at)[:_TRANSITIONS_SHOWN])


def _worst(states: Sequence[str]) -> str | None:
    return min(states, key=_rank, default=None)


def _rank(state: str) -> int:
    """A state that this version does not know is shown before all others."""
    return _RANK.get(state, -1)


def _badness(found: FleetBreaker) -> tuple[int, int, str]:
    if found.state is None:
        return len(WORST), 0, found.name
    return _rank(found.state), -found.by_state[found.state], found.name
