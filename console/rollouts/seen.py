"""What pages, API and commands show of rollouts: frozen rows, in plain words with their numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from console.flags import clock
from console.rollouts import allowed, powers
from console.rollouts.models import Automation, Rollout, RolloutStep, State

# Nothing of a flag is begun again so soon after it was taken back.
COOL_DOWN: Final = timedelta(minutes=30)
_STEPS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardSeen:
    """`metric`: error_share, mean_s or p95_s. `ratio`: how far treated are above untreated, as a
    part of it; of error_share the difference. `least_ratio`: what it is at least, as far as the
    noise tells. `held` None: too few units to say.
    """

    metric: str
    most: float
    treated: float | None
    untreated: float | None
    treated_units: int
    untreated_units: int
    ratio: float | None
    least_ratio: float | None
    held: bool | None
    # What a window like this finds in 19 of 20; None: not known.
    finds: float | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSeen:
    """One decision. `actor` "": by itself."""

    at: datetime
    decision: str
    stage: int
    words: str
    guards: tuple[GuardSeen, ...]
    flag_revision: int
    actor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutSeen:
    """One rollout as it stands at `now`, by Postgres' clock."""

    id: int
    flag: str
    target: str
    rest: str
    unit: str
    layer: str
    # rehearsing, running, held, stopped, done, rolled_back, aborted.
    state: str
    held_for: str
    # Percent: that holds, all of its way, the next, and from when on that may be set.
    stage: int
    stages: tuple[int, ...]
    next_stage: int | None
    next_at: datetime | None
    bake_s: int
    baked_s: float | None
    # As last seen, and when.
    guards: tuple[GuardSeen, ...]
    seen_at: datetime | None
    gates: tuple[str, ...]
    least_units: int
    # What a stage of so many units can find, in a sentence.
    power: str
    # Why it waits, or how it ended.
    why: str
    reason: str
    actor: str
    created_at: datetime
    ended_at: datetime | None
    # Until when nothing of the flag is begun again by this one's end.
    cooling_until: datetime | None
    # Give it with an act: another answers that somebody was faster.
    revision: int
    flag_revision: int
    # The oldest first; () in a list.
    log: tuple[StepSeen, ...]
    now: datetime

    @property
    def is_active(self) -> bool:
        return self.ended_at is None

    @property
    def acts(self) -> tuple[str, ...]:
        """What may be done to it now."""
        return allowed.acts(self.state, self.held_for, self.next_stage)


@dataclass(frozen=True, slots=True, kw_only=True)
class AutomationSeen:
    """Whether rollouts go on by themselves; they are taken back by themselves in any case."""

    is_stopped: bool
    since: datetime | None
    why: str


def all_of_them(*, flag: str | None = None, most: int = 100) -> tuple[RolloutSeen, ...]:
    """The newest first, without their logs."""
    rows = Rollout.objects.defer("record")
    if flag is not None:
        rows = rows.filter(flag=flag)
    now = clock.now()
    return tuple(_seen(row, now) for row in rows[:most])


def one(pk: int) -> RolloutSeen | None:
    """With its log."""
    row = Rollout.objects.defer("record").filter(pk=pk).first()
    return None if row is None else _seen(row, clock.now(), _log(row))


def of(flag: str) -> RolloutSeen | None:
    """The newest of a flag, with its log."""
    row = Rollout.objects.defer("record").filter(flag=flag).first()
    return None if row is None else _seen(row, clock.now(), _log(row))


def automation() -> AutomationSeen:
    row = Automation.objects.filter(pk=1).first()
    if row is None or row.stopped_at is None:
        return AutomationSeen(is_stopped=False, since=None, why="")
    return AutomationSeen(is_stopped=True, since=row.stopped_at, why=row.why)


def cooling_until(row: Rollout) -> datetime | None:
    if row.state != State.ROLLED_BACK or row.ended_at is None:
        return None
    return row.ended_at + COOL_DOWN


def _seen(row: Rollout, now: datetime, log: tuple[StepSeen, ...] = ()) -> RolloutSeen:
    bakes = row.state == State.RUNNING and row.baking_since is not None
    ends = row.baking_since + timedelta(seconds=row.bake_s) if row.baking_since else None
    own = {name: getattr(row, name) for name in _OWN}
    return RolloutSeen(
        **own,
        stages=tuple(row.stages),
        next_stage=row.next_stage if row.is_active else None,
        next_at=ends if bakes else None,
        baked_s=(now - row.baking_since).total_seconds() if bakes and row.baking_since else None,
        guards=guards_of(row.numbers),
        gates=tuple(row.gates),
        power=powers.words(row),
        cooling_until=cooling_until(row),
        log=log,
        now=now,
    )


_OWN: Final = (
    *("id", "flag", "target", "rest", "unit", "layer", "state", "held_for", "stage", "bake_s"),
    *("seen_at", "least_units", "why", "reason", "actor", "created_at", "ended_at", "revision"),
    "flag_revision",
)


def _log(row: Rollout) -> tuple[StepSeen, ...]:
    """The newest, in their order."""
    steps = reversed(RolloutStep.objects.filter(rollout=row).order_by("-id")[:_STEPS])
    return tuple(
        StepSeen(
            at=step.at,
            decision=step.decision,
            stage=step.stage,
            words=step.why,
            guards=guards_of(step.numbers),
            flag_revision=step.flag_revision,
            actor=step.actor,
        )
        for step in steps
    )


def guards_of(numbers: list[Mapping[str, Any]]) -> tuple[GuardSeen, ...]:
    """As they were kept."""
    return tuple(GuardSeen(**told) for told in numbers)
