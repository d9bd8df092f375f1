"""A flag's guarded rollout and drills as pages show them: stages, guards in numbers, its log."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from django.urls import reverse

from console.pages import figures
from console.pages.states import State
from console.rehearsals import standing as rehearsals
from console.rehearsals.models import Rehearsal
from console.rehearsals.standing import Rehearsed
from console.rollouts import seen
from console.rollouts.seen import GuardSeen, RolloutSeen, StepSeen

_STATES: Final[Mapping[str, State]] = {
    "rehearsing": State(glyph="half", word="Rehearsing", effect="the flag is as it was"),
    "running": State(glyph="closed", word="Rolling out"),
    "held": State(glyph="half", word="Held"),
    "stopped": State(glyph="half", word="Stopped", effect="an operator is to look"),
    "done": State(glyph="closed", word="Rolled out"),
    "rolled_back": State(glyph="open", word="Taken back", effect="by itself"),
    "aborted": State(glyph="idle", word="Aborted"),
}
_LATE: Final = timedelta(hours=24)
_UNKNOWN: Final = State(glyph="idle", word="No data")
METRICS: Final[Mapping[str, str]] = {
    "error_share": "Failed",
    "mean_s": "Mean time",
    "p95_s": "95th percentile of time",
}
_DECISIONS: Final[Mapping[str, str]] = {
    "start": "began",
    "advance": "raised",
    "done": "done",
    "hold": "held",
    "resume": "resumed",
    "roll_back": "taken back",
    "abort": "aborted",
    "stop": "stopped",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardRow:
    """One guard: treated against untreated at the same time, and what is allowed."""

    name: str
    treated: str
    untreated: str
    units: str
    differs: str
    most: str
    state: State
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    step: StepSeen
    done: str
    guards: tuple[GuardRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """An act on a rollout that is under way."""

    href: str
    word: str
    is_danger: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRow:
    """`stages`: (percent, is it reached, does it hold)."""

    seen: RolloutSeen
    state: State
    stages: tuple[tuple[int, bool, bool], ...]
    guards: tuple[GuardRow, ...]
    log: tuple[StepRow, ...]

    @property
    def acts(self) -> tuple[Offer, ...]:
        return tuple(
            Offer(
                href=reverse(f"flag-{what}", args=[self.seen.flag]),
                word=what.capitalize(),
                is_danger=what == "abort",
            )
            for what in self.seen.acts
        )

    @property
    def bake_left_s(self) -> float | None:
        at = self.seen.next_at
        return None if at is None else max((at - self.seen.now).total_seconds(), 0.0)

    @property
    def cooling_s(self) -> float | None:
        """Of what was taken back: until it may be begun again."""
        until = self.seen.cooling_until
        left_s = 0.0 if until is None else (until - self.seen.now).total_seconds()
        return left_s if left_s > 0 else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillRow:
    """Of one target: what its newest drill has shown, and one that is on its way."""

    target: str
    found: Rehearsed | None
    moving: Rehearsal | None
    state: State


def row_of(found: RolloutSeen) -> RolloutRow:
    state = _STATES.get(found.state, _UNKNOWN)
    if found.state in {"running", "held"}:
        state = replace(state, effect=f"{found.stage}{figures.THIN}%")
    return RolloutRow(
        seen=found,
        state=state,
        stages=tuple((stage, stage <= found.stage, stage == found.stage) for stage in found.stages),
        guards=tuple(map(guard_row, found.guards)),
        log=tuple(_step(step) for step in reversed(found.log)),
    )


def of(flag: str) -> RolloutRow | None:
    """The newest of a flag, with its log."""
    found = seen.of(flag)
    return None if found is None else row_of(found)


def of_late() -> list[RolloutRow]:
    """What is under way, and what was taken back within a day; without their logs."""
    return [
        row_of(each)
        for each in seen.all_of_them()
        if each.is_active
        or (each.state == "rolled_back" and each.ended_at and each.now - each.ended_at < _LATE)
    ]


def drill_of(flag: str, target: str) -> DrillRow:
    return _drill(target, rehearsals.of(flag, target), rehearsals.waiting(flag, target))


def drills_of(flag: str, targets: Iterable[str]) -> list[DrillRow]:
    """As `drill_of`, asked for at once."""
    newest, waiting = rehearsals.newest(), rehearsals.waiting_of(flag)
    return [_drill(one, newest.get((flag, one)), waiting.get(one)) for one in targets]


def _drill(target: str, found: Rehearsed | None, moving: Rehearsal | None) -> DrillRow:
    return DrillRow(target=target, found=found, moving=moving, state=_drilled(found, moving))


def guard_row(guard: GuardSeen) -> GuardRow:
    held = guard.held
    return GuardRow(
        name=METRICS.get(guard.metric, guard.metric),
        treated=_value(guard.metric, guard.treated),
        untreated=_value(guard.metric, guard.untreated),
        units=f"{figures.count(guard.treated_units)} / {figures.count(guard.untreated_units)}",
        differs="–" if guard.ratio is None else differs_by(guard.metric, guard.ratio),
        most=differs_by(guard.metric, guard.most),
        state=_HOLDING[held],
        words=guard.words,
    )


_HOLDING: Final[Mapping[bool | None, State]] = {
    True: State(glyph="closed", word="Holds"),
    False: State(glyph="open", word="Broken"),
    None: State(glyph="idle", word="Too little data"),
}


def differs_by(metric: str, ratio: float) -> str:
    """`+30 %` of what it is; of a share, `+1 points`."""
    if metric == "error_share":
        return f"{100 * ratio:+.2g} points".replace("-", "\u2212")
    return figures.signed(ratio)


def _value(metric: str, value: float | None) -> str:
    if value is None:
        return "no data"
    return figures.percent(value) if metric == "error_share" else figures.latency(1_000 * value)


def _step(step: StepSeen) -> StepRow:
    return StepRow(
        step=step,
        done=_DECISIONS.get(step.decision, step.decision),
        guards=tuple(map(guard_row, step.guards)),
    )


def _drilled(found: Rehearsed | None, moving: Rehearsal | None) -> State:
    if moving is not None:
        return State(glyph="half", word="Rehearsing" if moving.began_at else "Waiting")
    if found is None:
        return State(glyph="idle", word="Not rehearsed")
    if found.is_one_way:
        return State(glyph="open", word="One way", effect="no stage is raised")
    if not found.passed:
        return State(glyph="half", word="Failed", effect="on other code")
    if found.is_fresh:
        return State(glyph="closed", word="Rehearsed")
    effect = "on other code" if not found.on_this_code else "too long ago"
    return State(glyph="half", word="Rehearsed", effect=effect)
