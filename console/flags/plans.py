"""Stages set by themselves at their times, as long as nobody else changes the flag."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.contrib.auth.models import User
from django.db import connection, transaction

from console.access.audit import Actor
from console.access.roles import Role, role_of
from console.controls.bounds import needs, reason_of
from console.controls.change import Act, change_flags
from console.controls.errors import ControlError, Refused, RoleTooLow
from console.flags import acts, bounds, clock, guards
from console.flags.changing import Change, locked, restage, stamp
from console.flags.models import Flag, PlannedStage
from console.flags.rehearsed import refuse_one_way, refuse_unrehearsed
from console.flags.standing import Standing
from monitoring import events
from validation.models import ControlRevision

log = structlog.get_logger(__name__)

type Steps = Sequence[tuple[datetime, int]]

_State = PlannedStage.State
# Of `pg_try_advisory_xact_lock`: two schedulers take turns, and the second finds nothing due.
_LOCK = 0x51077


def plan(
    actor: Actor,
    key: str,
    steps: Steps = (),
    *,
    through: int | None = None,
    reason: str,
    based_on: int | None = None,
) -> Flag:
    """Sets `steps` at their times, or goes up to `through` percent by the stages offered, each as
    soon as the one before it has baked. In the place of what was planned; anybody's own change of
    the flag ends it.
    """
    needs(actor, Role.OPERATOR, "Planning stages")
    act = Act(actor=actor, action="plan", reason=reason_of(reason), based_on=based_on)

    def planned(flag: Flag, now: datetime) -> Steps:
        guards.refuse_unstageable(flag)
        if not flag.enabled:
            raise Refused("flag", flag.key, "on: switch it on before its stages are planned")
        if (through is None) == (not steps):
            raise Refused("steps", len(steps), "a list of times and stages, or give `through`")
        found = _judged(flag, steps, now) if through is None else _ladder(flag, through, now)
        stands = Standing.of(flag)
        for _, stage in found:
            then = acts.wanted(flag, stage=stage)
            refuse_one_way(flag, stands, then)
            refuse_unrehearsed(flag, stands, then)
            stands = then
        return found

    return _change(act, key, planned)


def cancel(actor: Actor, key: str, *, reason: str, based_on: int | None = None) -> Flag:
    """Ends what waits; the stage stays as it is."""
    needs(actor, Role.OPERATOR, "Cancelling a plan")
    act = Act(actor=actor, action="cancel_plan", reason=reason_of(reason), based_on=based_on)

    def nothing(flag: Flag, _: datetime) -> Steps:
        if not _waiting(flag.key).exists():
            raise Refused("flag", flag.key, "one with a plan: none waits")
        return ()

    return _change(act, key, nothing)


def run_due(now: datetime | None = None) -> list[PlannedStage]:
    """Does what is due and has baked; returns what was settled. Several may call it at once."""
    settled: list[PlannedStage] = []
    with transaction.atomic():
        if not _lock():
            return settled
        now = now or clock.now()
        delayed: set[str] = set()
        due = list(PlannedStage.objects.filter(state=_State.WAITING, at__lte=now))
        if due:
            # Before any step: who changes a flag holds this too, and then ends its plan.
            ControlRevision.objects.select_for_update().filter(pk=1).first()
        for step in due:
            if step.flag_id in delayed:
                continue
            try:
                step.refresh_from_db()  # a step before it may have ended it
            except PlannedStage.DoesNotExist:
                continue  # gone with its flag since
            if step.state == _State.WAITING and _settle(step, now):
                settled.append(step)
            else:
                delayed.add(step.flag_id)
    return settled


def baked_at(flag: Flag) -> datetime:
    """From when on a plan may raise it."""
    return flag.staged_at + timedelta(seconds=_bake_s(flag, flag.stage))


def _bake_s(flag: Flag, stage: int) -> int:
    return int(flag.bake_s.get(str(stage), 0))


def _ladder(flag: Flag, through: int, now: datetime) -> list[tuple[datetime, int]]:
    bounds.stage_of(through, "through")
    rungs = [stage for stage in bounds.STAGES if flag.stage < stage < through]
    if through <= flag.stage:
        raise Refused("through", through, f"above the stage that holds, {flag.stage} %")
    at, steps = max(now, baked_at(flag)), []
    for stage in (*rungs, through):
        steps.append((at, stage))
        at += timedelta(seconds=_bake_s(flag, stage))
    return steps


def _judged(flag: Flag, steps: Steps, now: datetime) -> Steps:
    if len(steps) > bounds.MOST_STEPS:
        raise Refused("steps", len(steps), f"at most {bounds.MOST_STEPS}")
    stage, earliest = flag.stage, baked_at(flag)
    before = now - timedelta(minutes=1)  # a form takes a while to fill
    for at, to in steps:
        bounds.stage_of(to, "steps.stage")
        if at.tzinfo is None or not before < at <= now + bounds.LONGEST_PLAN:
            days = bounds.LONGEST_PLAN.days
            expected = f"a time with its zone, after the step before it and within {days} days"
            raise Refused("steps.at", at.isoformat(), expected)
        if to == stage:
            raise Refused("steps.stage", to, "another stage than before it")
        if to > stage and at < earliest and earliest > now:
            text = f"at {earliest:%Y-%m-%d %H:%M:%S} UTC or later: {stage} % is to bake until then"
            raise Refused("steps.at", at.isoformat(), text)
        stage, before, earliest = to, at, at + timedelta(seconds=_bake_s(flag, to))
    return steps


@dataclass(frozen=True, slots=True)
class _Told:
    """A plan as an audit entry tells it."""

    steps: Steps

    def as_json(self) -> dict[str, Any]:
        return {"plan": [{"at": at.isoformat(), "stage": stage} for at, stage in self.steps]}


def _change(act: Act, key: str, steps_of: Callable[[Flag, datetime], Steps]) -> Flag:
    changed: list[Flag] = []

    def write(revision: int, now: datetime) -> tuple[dict[str, Any], dict[str, Any]]:
        flag = locked(key, act.based_on)
        steps = steps_of(flag, now)
        waiting = _waiting(key)
        before = _Told([(step.at, step.stage) for step in waiting])
        note = f"{act.actor.name} {'planned anew' if steps else 'cancelled it'}: {act.reason}"
        waiting.update(state=_State.CANCELLED, settled_at=now, note=note[:300])
        # Who saw the flag without this plan has not seen what will become of it.
        stamp(flag, act, revision, now)
        flag.save()
        PlannedStage.objects.bulk_create(_step(flag, act, at, stage) for at, stage in steps)
        changed.append(flag)
        return before.as_json(), _Told(steps).as_json()

    change_flags(act, key, write)
    return changed[0]


def _step(flag: Flag, act: Act, at: datetime, stage: int) -> PlannedStage:
    return PlannedStage(
        flag=flag,
        at=at,
        stage=stage,
        based_on=flag.revision,
        reason=act.reason,
        actor=act.actor.name,
        role=act.actor.role,
        origin=act.actor.origin,
        token=act.actor.token,
        source=act.actor.source,
        trace_id=act.actor.trace_id,
    )


def _waiting(key: str) -> Any:
    return PlannedStage.objects.filter(flag_id=key, state=_State.WAITING)


def _lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [_LOCK])
        return bool(cursor.fetchone()[0])


def _settle(step: PlannedStage, now: datetime) -> bool:
    """False where it waits on: its flag has not baked yet."""
    flag = step.flag
    if flag.revision != step.based_on:
        note = f"{flag.actor} changed the flag: {flag.reason}"
        _end(step, _State.LAPSED, note, now)
        return True
    if step.stage > flag.stage and now < baked_at(flag):
        return False
    try:
        with transaction.atomic():
            _do(step)
    except ControlError as exc:
        log.warning("plan.refused", flag=flag.key, stage=step.stage, why=str(exc))
        _end(step, _State.REFUSED, str(exc), now)
    else:
        step.state, step.settled_at = _State.DONE, now
        step.save(update_fields=("state", "settled_at"))
    return True


def _do(step: PlannedStage) -> None:
    actor = _actor_of(step)
    needs(actor, Role.OPERATOR, "Moving a stage")
    act = Act(actor=actor, action="stage", reason=step.reason, based_on=step.based_on)
    change = Change(act=act, key=step.flag_id, of_plan=True)
    restage(change, lambda flag, _: acts.wanted(flag, stage=step.stage))


def _actor_of(step: PlannedStage) -> Actor:
    """Who planned it, with the role that they have now. Who did at a terminal had the database in
    hand, and keeps the role of then. Raises RoleTooLow for one who may do nothing any more.
    """
    role = Role(step.role)
    if step.origin != "cli":
        user = User.objects.filter(username=step.actor, is_active=True).first()
        found = role_of(user) if user else None
        if found is None:
            raise RoleTooLow(
                f"{step.actor}, who planned it, may not sign in any more: somebody else is to "
                "plan it anew."
            )
        role = min(role, found, key=list(Role).index)
    return Actor(
        name=step.actor,
        role=role,
        origin="plan",
        token=step.token,
        source=step.source,
        trace_id=step.trace_id,
    )


def _end(step: PlannedStage, state: str, note: str, now: datetime) -> None:
    """Ends it as `state`, and with it all that wait after it."""
    step.state, step.settled_at, step.note = state, now, note[:300]
    step.save(update_fields=("state", "settled_at", "note"))
    after = f"The step to {step.stage} % was not done: {note}"
    _waiting(step.flag_id).update(state=_State.LAPSED, settled_at=now, note=after[:300])
    key = step.flag_id
    transaction.on_commit(lambda: events.publish("flags", f"flag:{key}", "overview"))
