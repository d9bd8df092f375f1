"""Starting a rollout: what may begin, and the drill that comes before it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db import transaction

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import hold_revision
from console.controls.errors import Refused
from console.flags import bounds as flag_bounds
from console.flags import clock, guards
from console.flags.changing import locked
from console.flags.models import Flag, PlannedStage
from console.flags.standing import Standing
from console.rehearsals import running, tasks
from console.rollouts import (
    automation,
    bounds,
    gating,
    measurable,
    recording,
    records,
    rehearsing,
    seen,
    writing,
)
from console.rollouts.errors import NotNow
from console.rollouts.models import ACTIVE, Rollout, State


def start(
    actor: Actor,
    flag: str,
    target: str,
    *,
    reason: str,
    unit: str | None = None,
    stages: Sequence[object] | None = None,
    bake_s: object = bounds.BAKE_S,
    guards: Sequence[Mapping[str, Any]] | None = None,
    gates: Sequence[str] = (),
    least_units: object = bounds.LEAST_UNITS,
    based_on: int | None = None,
) -> Rollout:
    """Units outside the stage keep what all have now. What was planned of the flag ends. A drill
    comes first, from whatever stage, unless a good one of this code is at most a week old.
    `based_on` is the revision of the flag that was seen.
    """
    needs(actor, Role.OPERATOR, "Starting a rollout")
    reason = reason_of(reason)
    told = [asdict(one) for one in bounds.GUARDS] if guards is None else guards
    fields = {
        "bake_s": bounds.bake_of(bake_s),
        "guards": [asdict(one) for one in bounds.guards_of(told)],
        "least_units": bounds.least_of(least_units),
        "gates": _gates(gates),
    }
    with transaction.atomic():
        hold_revision()
        if not Flag.objects.filter(pk=flag).exists():
            raise Refused("flag", flag, "the key of a flag: /flags/ lists them")
        it = locked(flag, based_on)
        row = _made(it, target, unit, stages)
        for name, value in fields.items():
            setattr(row, name, value)
        row.reason, row.actor, row.role = reason, actor.name, str(actor.role)
        row.origin, row.token, row.source = actor.origin, actor.token, actor.source
        _begin(row, it, actor)
    row.refresh_from_db()
    return row


def rehearse(row: Rollout, actor: Actor) -> None:
    """Asks for the drill of it. Raises what refuses it, as of a flag that cannot be rehearsed."""
    reason = f"A rollout of {row.flag} to {row.target} begins with it."
    drill = running.make(row.flag, row.target, actor, reason=reason)
    transaction.on_commit(lambda: tasks.ring(drill.pk))


def _gates(gates: Sequence[str]) -> list[str]:
    if (wrong := gating.unfit(gates)) is not None:
        raise Refused("gates", *wrong)
    return list(dict.fromkeys(gates))


def _made(it: Flag, target: str, unit: str | None, stages: Sequence[object] | None) -> Rollout:
    guards.refuse_unstageable(it)
    stands = Standing.of(it)
    flag_bounds.variant_of(it, target, "target")
    unit = flag_bounds.unit_of(it, str(it.unit) if unit is None else unit)
    measurable.refuse(it, unit)
    whole = stands.everyone
    if whole == target:
        raise Refused("target", target, f"another variant than all have already: {stands.words}")
    if whole is None and (target, unit) != (stands.target, stands.unit):
        raise NotNow(f"{it.key} stands between: {stands.words}. Bring that to an end first.")
    from_stage = 0 if whole is not None else stands.stage
    wanted = [one for one in bounds.STAGES if one > from_stage] if stages is None else stages
    percents = bounds.stages_of(wanted, from_stage)
    measurable.refuse_without_rest(it, unit, *percents)
    return Rollout(
        flag=it.key,
        target=target,
        rest=stands.rest if whole is None else whole,
        unit=unit,
        fleet=it.fleet,
        layer=it.layer,
        stages=list(percents),
        stage=from_stage,
        began_at_stage=from_stage,
        flag_revision=it.revision,
    )


def _begin(row: Rollout, it: Flag, actor: Actor) -> None:
    if why := automation.why_stopped():
        raise NotNow(why)
    now = clock.now()
    _refuse_second(row)
    _refuse_cooling(row)
    _end_plan(row, actor)
    # The database's: a row's own default would be that of its insertion, which is the same.
    row.created_at = now
    # The baseline is where every drill ends: the way there needs none of its own.
    drill = rehearsing.look(row) if row.target != it.baseline else None
    if drill is not None and drill.state == "refused":
        raise NotNow(drill.words)
    needs_drill = drill is not None and drill.state != "good"
    row.state = State.REHEARSING if needs_drill else State.RUNNING
    row.record = records.pack(recording.anew(records.Record(), now.timestamp()))
    row.save()
    why = f"{actor.name} started it: {row.target} by {_steps(row)}. {row.reason}"
    if needs_drill:
        rehearse(row, actor)
        why = f"{why} A drill comes first."
    writing.settle(
        row, writing.at(row), actor=actor, decision="start", why=why, reason=row.reason, now=now
    )


def _refuse_second(row: Rollout) -> None:
    for other in Rollout.objects.filter(state__in=ACTIVE):
        if other.flag == row.flag:
            raise NotNow(f"Rollout {other.pk} of {row.flag} is under way already.")
        if row.layer and other.layer == row.layer:
            raise NotNow(
                f"Rollout {other.pk} of {other.flag} is under way in the same layer "
                f"({row.layer}): of two that interfere nobody could tell which did what."
            )


def _refuse_cooling(row: Rollout) -> None:
    last = Rollout.objects.filter(flag=row.flag, state=State.ROLLED_BACK).first()
    until = seen.cooling_until(last) if last is not None else None
    if last is not None and until is not None and until > clock.now():
        raise NotNow(
            f"{row.flag} was taken back at {last.ended_at:%H:%M:%S} UTC and cools down until "
            f"{until:%H:%M:%S} UTC: {last.why}"
        )


def _end_plan(row: Rollout, actor: Actor) -> None:
    waiting = PlannedStage.objects.filter(flag=row.flag, state=PlannedStage.State.WAITING)
    note = f"{actor.name} started a rollout in its place: {row.reason}"
    waiting.update(state=PlannedStage.State.LAPSED, settled_at=clock.now(), note=note[:300])


def _steps(row: Rollout) -> str:
    return ", ".join(f"{stage} %" for stage in row.stages)
