"""What may be done to a rollout: started, promoted, held, resumed, aborted; each on record."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db import transaction

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import hold_revision
from console.flags import clock, guards
from console.flags.models import Flag
from console.flags.standing import ALL
from console.rollouts import allowed, measurable, recording, records, writing
from console.rollouts.errors import NotNow, Stale, UnknownRollout
from console.rollouts.judging import Position
from console.rollouts.models import HeldFor, Rollout, State


def promote(actor: Actor, pk: int, *, reason: str, revision: int | None = None) -> Rollout:
    """The next stage now, whatever its bake and its guards say; it is watched there as any other.
    Raises what refuses any stage of a flag, and NotNow where it would leave nobody without.
    """
    needs(actor, Role.OPERATOR, "Promoting a rollout")
    act = _Act(actor=actor, decision="promote", reason=reason_of(reason), revision=revision)

    def promoted(row: Rollout, now: datetime) -> Position:
        stage = row.next_stage
        if stage is None or not _may(row, "promote"):
            raise NotNow(f"{row.flag} has no stage to be raised to now: it is {_state(row)}.")
        flag = Flag.objects.get(pk=row.flag)
        guards.judge(flag, writing.standing(row, flag, stage), now)
        measurable.refuse_without_rest(flag, row.unit, stage)
        writing.restaged(row, stage, actor=actor, reason=act.reason)
        return _promoted(writing.at(row), stage, now)

    return _change(pk, promoted, act)


def hold(actor: Actor, pk: int, *, reason: str, revision: int | None = None) -> Rollout:
    """It stays where it is until it is resumed; its guards are watched all the same."""
    needs(actor, Role.OPERATOR, "Holding a rollout")
    act = _Act(actor=actor, decision="hold", reason=reason_of(reason), revision=revision)

    def held(row: Rollout, _now: datetime) -> Position:
        if not _may(row, "hold"):
            raise NotNow(f"The rollout of {row.flag} is {_state(row)}: there is nothing to hold.")
        return replace(writing.at(row), state=str(State.HELD), held_for=str(HeldFor.OPERATOR))

    return _change(pk, held, act)


def resume(actor: Actor, pk: int, *, reason: str, revision: int | None = None) -> Rollout:
    """It goes on; its stage bakes anew."""
    needs(actor, Role.OPERATOR, "Resuming a rollout")
    act = _Act(actor=actor, decision="resume", reason=reason_of(reason), revision=revision)

    def resumed(row: Rollout, now: datetime) -> Position:
        if row.state == State.STOPPED:
            raise NotNow(f"All rollouts are stopped: let them go on first. {row.why}")
        if not _may(row, "resume"):
            raise NotNow(f"The rollout of {row.flag} is {_state(row)}: nobody holds it.")
        now_s = now.timestamp()
        return replace(writing.at(row), state=str(State.RUNNING), held_for="", baking_since_s=now_s)

    return _change(pk, resumed, act)


def abort(actor: Actor, pk: int, *, reason: str, revision: int | None = None) -> Rollout:
    """Taken back at once; never held up by a freeze, nor by rollouts that are stopped."""
    needs(actor, Role.OPERATOR, "Aborting a rollout")
    act = _Act(actor=actor, decision="abort", reason=reason_of(reason), revision=revision)

    def aborted(row: Rollout, _now: datetime) -> Position:
        if row.stage:
            writing.restaged(row, 0, actor=actor, reason=act.reason)
        return replace(
            writing.at(row), state=str(State.ABORTED), held_for="", stage=0, baking_since_s=None
        )

    return _change(pk, aborted, act)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Act:
    actor: Actor
    decision: str
    reason: str
    revision: int | None


def _change(pk: int, alter: Callable[[Rollout, datetime], Position], act: _Act) -> Rollout:
    with transaction.atomic():
        hold_revision()
        row = _locked(pk, act.revision)
        now, before = clock.now(), row.stage
        position = alter(row, now)
        record = records.unpack(row.record)
        if position.stage != before:
            record = recording.anew(record, now.timestamp())
        writing.settle(
            row,
            position,
            actor=act.actor,
            decision=act.decision,
            why=f"{act.actor.name}: {act.reason}",
            reason=act.reason,
            now=now,
            numbers=row.numbers,
            record=record,
        )
    row.refresh_from_db()
    return row


def _locked(pk: int, revision: int | None) -> Rollout:
    """Raises UnknownRollout, Stale, and NotNow of one that is over."""
    row = Rollout.objects.select_for_update().filter(pk=pk).first()
    if row is None:
        raise UnknownRollout(f"There is no rollout {pk}: /flags/ shows those that there are.")
    if revision is not None and revision != row.revision:
        text = (
            f"Rollout {pk} changed since you looked (revision {row.revision}, you saw {revision}): "
            f"it is {_state(row)} at {row.stage} %. {row.why} Look again, then decide."
        )
        raise Stale(text, row.revision)
    if not row.is_active:
        raise NotNow(f"Rollout {pk} of {row.flag} is over: {_state(row)}. {row.why}")
    return row


def _promoted(at: Position, stage: int, now: datetime) -> Position:
    over = stage == ALL
    return replace(
        at,
        state=str(State.DONE if over else State.RUNNING),
        held_for="",
        stage=stage,
        has_baked=False,
        baking_since_s=None if over else now.timestamp(),
        missing_since_s=None,
    )


def _may(row: Rollout, what: str) -> bool:
    return what in allowed.acts(row.state, row.held_for, row.next_stage)


def _state(row: Rollout) -> str:
    return State(row.state).label
