"""Breakers over the fleet: the state in each worker, counted and never averaged."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from console import sse
from console.controls.names import configured
from console.controls.orders import Order, desired, orders
from console.fleetview.fleet import Fleet, look
from console.fleetview.rows import Row, most, oldest, summed
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
class WorkerBreaker(Row[BreakerReport]):
    """One breaker in one worker process, by its own report of `age_s` ago."""

    # Whether this process has read what operators want of this breaker.
    acknowledged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetBreaker:
    """One breaker over all workers. Counts and rates are sums over workers that are up.

    `state` and `computed` are the worst of them. None, of these, of a count and of a rate: no data.
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
    calls: int | None
    failures: int | None
    slow: int | None
    rejected: int | None
    trips: int | None
    # None also while no worker has had enough calls to say.
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
    def has_page(self) -> bool:
        """Whether an address can hold its name: what a process reports may be anything."""
        return sse.NAME.fullmatch(self.name) is not None

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
    told: dict[str, list[_Said]] = {name: [] for name in configured() | set(wanted)}
    for worker in fleet.workers:
        for report in worker.breakers:
            told.setdefault(report.name, []).append((worker, report))
    found = [
        _gathered(wanted.get(name) or Order(kind=ControlKind.BREAKER, name=name), said, fleet)
        for name, said in told.items()
    ]
    return sorted(found, key=_badness)


def breaker(name: str, fleet: Fleet | None = None) -> FleetBreaker | None:
    """None where there is none of that name. Where nobody can be asked there may be one."""
    fleet = fleet or look()
    # Postgres can neither store nor look for such a name.
    is_storable = "\x00" not in name
    wanted = Order(kind=ControlKind.BREAKER, name=name)
    if is_storable:
        wanted = desired(ControlKind.BREAKER, name)
    said = [
        (worker, report)
        for worker in fleet.workers
        for report in worker.breakers
        if report.name == name
    ]
    may_be = not fleet.reachable and sse.NAME.fullmatch(name)
    is_known = said or wanted.revision or may_be or name in configured()
    return _gathered(wanted, said, fleet) if is_known else None


type _Said = tuple[WorkerSnapshot, BreakerReport]


def _gathered(wanted: Order, said: Sequence[_Said], fleet: Fleet) -> FleetBreaker:
    rows = sorted(
        (
            WorkerBreaker(
                worker=worker,
                report=report,
                acknowledged=(worker.acknowledged or 0) >= wanted.revision,
            )
            for worker, report in said
        ),
        key=lambda row: (not row.is_current, _rank(row.report.state), row.worker.id),
    )
    now = [row for row in rows if row.is_current]
    reports = [row.report for row in now]
    return FleetBreaker(
        name=wanted.name,
        desired=wanted,
        acknowledged=fleet.acknowledged(wanted.revision),
        workers=fleet.heard,
        by_state=dict(Counter(report.state for report in reports)),
        by_computed=dict(Counter(report.computed for report in reports)),
        state=_worst([report.state for report in reports]),
        computed=_worst([report.computed for report in reports]),
        rows=tuple(rows),
        **{field: summed(reports, field) for field in _SUMMED},
        failure_rate=_rate(reports, "failures", "failure_rate"),
        slow_rate=_rate(reports, "slow", "slow_rate"),
        p95_ms=most(reports, "p95_ms"),
        retry_in_s=min((r.retry_in_s for r in reports if r.retry_in_s is not None), default=None),
        transitions=_transitions(rows),
        age_s=oldest(now),
    )


_SUMMED = ("calls", "failures", "slow", "rejected", "trips")


def _rate(reports: Sequence[BreakerReport], field: str, rate: str) -> float | None:
    """Of all calls, once one worker at least has had enough of them to say: from one call on its
    own nothing follows.
    """
    calls, counted = summed(reports, "calls"), summed(reports, field)
    if not calls or counted is None or most(reports, rate) is None:
        return None
    return counted / calls


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
