"""Each second, of each rollout under way: look, decide, and write down what was decided.

One leader at a time by a lock of Postgres' that ends with its transaction, and one transaction a
rollout: whoever is killed in it has done nothing, and the next one goes on from the row. What was
seen is kept there too. Whose flag was changed by somebody else is let go: an operator's edit wins.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

import structlog
from django.contrib.auth.models import User
from django.db import Error, connection, transaction

from console.access.roles import Role, role_of
from console.controls.change import hold_revision
from console.controls.errors import Conflict, ControlError, RoleTooLow, UnknownFlag
from console.flags import clock, guards
from console.flags.models import Flag
from console.rollouts import (
    automation,
    beginning,
    gating,
    looking,
    measurable,
    recording,
    records,
    rehearsing,
    writing,
)
from console.rollouts.gating import Gates
from console.rollouts.judging import Around, Decision, decide
from console.rollouts.looking import Looked
from console.rollouts.models import ACTIVE, Rollout, State
from console.rollouts.rehearsing import Rehearsing
from monitoring import arms
from monitoring.arm_work import this_process
from monitoring.arms import Told

log = structlog.get_logger(__name__)

# Nothing else here takes it. Whoever is stopped in the middle of a step, which may hold the
# revision too, is thrown out soon: it must hold up neither the taking back nor operators' acts.
_LOCK: Final = 0x5011007
_TRY_LOCK: Final = """
    SELECT pg_try_advisory_xact_lock(%s),
        set_config('idle_in_transaction_session_timeout', '3s', true)
"""

# On the row of one that cannot be looked at; why is in the log of whoever tried.
_DEFECT: Final = (
    "It cannot be looked at: a defect, told in the log. Nothing takes it back meanwhile."
)

type Tell = Callable[[], Sequence[Told] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stepped:
    """What became of one rollout; `decision` "wait" where there was no news."""

    rollout: int
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What `me`, a process, brings to each step. `now` None: Postgres' clock."""

    me: str
    told: Sequence[Told] | None
    gates: Gates
    now: datetime | None


_gates: Final = gating.Kept()


def turn(
    tell: Tell = arms.read,
    *,
    gates: gating.Kept = _gates,
    now: datetime | None = None,
    me: str | None = None,
) -> list[Stepped]:
    """One turn of all that are under way; those that another leader has in hand are left to it.
    `now` in place of Postgres' clock, `me` in place of this process's name.
    """
    active = Rollout.objects.filter(state__in=ACTIVE).order_by("pk")
    going = dict(active.values_list("pk", "gates"))
    if not going:
        return []
    judged = gates.judged({gate for named in going.values() for gate in named})
    mine = Turn(me=me or this_process(), told=tell(), gates=judged, now=now)
    found = [_step_safely(pk, mine) for pk in going]
    return [one for one in found if one is not None]


def _step_safely(pk: int, mine: Turn) -> Stepped | None:
    """None of what is wrong with one keeps the others from being looked at. Raises where no
    connection is left to look with.
    """
    try:
        return step(pk, mine)
    except (writing.Lost, Conflict, UnknownFlag) as exc:
        # Somebody was faster; the next turn sees what they did.
        log.info("rollout.changed_meanwhile", rollout=pk, why=type(exc).__name__)
    except ControlError as exc:
        log.warning("rollout.refused", rollout=pk, why=str(exc))
    except Error as exc:
        if _is_disconnected():
            raise
        log.warning("rollout.not_looked", rollout=pk, error=type(exc).__name__)
    except Exception:
        log.exception("rollout.failed", rollout=pk)
        Rollout.objects.filter(pk=pk, state__in=ACTIVE).exclude(why=_DEFECT).update(why=_DEFECT)
    return None


def _is_disconnected() -> bool:
    return connection.connection is None or connection.connection.closed


def step(pk: int, mine: Turn) -> Stepped | None:
    """One rollout, in one transaction. None: another leader has it, or hears what this one does
    not, or it is too soon.
    """
    with transaction.atomic():
        if not _lock():
            return None
        row = Rollout.objects.filter(pk=pk, state__in=ACTIVE).first()
        if row is None:
            return None
        now = mine.now or clock.now()
        if edited := _edited(row):
            return _let_go(row, edited, now)
        if row.state == State.REHEARSING:
            return _rehearse(row, now)
        record, now_s = records.unpack(row.record), now.timestamp()
        is_deaf = mine.told is None and recording.is_heard_by_another(record, mine.me, now_s)
        if is_deaf or recording.is_too_soon(record, now_s):
            return None
        looked = looking.look(row, mine.told, now_s, by=mine.me)
        return _go_on(row, looked, mine.gates, now)


def _go_on(row: Rollout, looked: Looked, gates: Gates, now: datetime) -> Stepped:
    around = Around(
        refuses=lambda stage: _refusal(row, stage, now),
        gates=lambda: gating.failing(row.gates, gates),
        stopped=automation.why_stopped(),
    )
    decision = decide(writing.at(row), looked.seen, around, now.timestamp())
    if decision.kind == "wait":
        numbers = looked.window or row.numbers
        record = looked.record
        writing.watch(row, decision.position, why=decision.why, record=record, numbers=numbers)
    else:
        _write(row, decision, looked, now)
    return Stepped(rollout=row.pk, decision=decision.kind)


def _write(row: Rollout, decision: Decision, looked: Looked, now: datetime) -> None:
    hold_revision()
    actor, at = writing.by_itself(row), decision.position
    raised = at.stage != row.stage
    if raised:
        writing.restaged(row, at.stage, actor=actor, reason=decision.why)
    writing.settle(
        row,
        at,
        actor=actor,
        decision=decision.kind,
        why=decision.why,
        now=now,
        numbers=looked.stage if decision.kind in {"advance", "done"} else looked.window,
        record=recording.anew(looked.record, now.timestamp()) if raised else looked.record,
    )
    log.warning("rollout.decided", rollout=row.pk, flag=row.flag, what=decision.kind)
    if decision.kind == "roll_back":
        automation.stop_if_due(actor, now)


def _edited(row: Rollout) -> str:
    """Who changed the flag since; empty where nobody did."""
    flag = Flag.objects.filter(pk=row.flag).first()
    if flag is None:
        return f"Somebody deleted {row.flag}."
    if flag.revision == row.flag_revision:
        return ""
    return (
        f"{flag.actor or 'Somebody'} changed {row.flag} (revision {flag.revision}): {flag.reason} "
        "The flag stays as they left it."
    )


def _let_go(row: Rollout, why: str, now: datetime) -> Stepped:
    hold_revision()
    ended = replace(writing.at(row), state=str(State.ABORTED), held_for="")
    writing.settle(row, ended, actor=writing.by_itself(row), decision="abort", why=why, now=now)
    return Stepped(rollout=row.pk, decision="abort")


def _rehearse(row: Rollout, now: datetime) -> Stepped:
    hold_revision()
    found = rehearsing.look(row)
    if found.state == "due":
        found = _asked_for(row)
    if found.state == "running":
        Rollout.objects.filter(pk=row.pk, revision=row.revision).update(why=found.words)
        return Stepped(rollout=row.pk, decision="wait")
    is_good = found.state == "good"
    state = State.RUNNING if is_good else State.ABORTED
    decision = "rehearsed" if is_good else "abort"
    to = replace(writing.at(row), state=str(state))
    actor = writing.by_itself(row)
    writing.settle(row, to, actor=actor, decision=decision, why=found.words, now=now)
    return Stepped(rollout=row.pk, decision=decision)


def _asked_for(row: Rollout) -> Rehearsing:
    try:
        beginning.rehearse(row, writing.by_itself(row))
    except ControlError as exc:
        return Rehearsing(state="refused", words=str(exc))
    return rehearsing.look(row)


def _refusal(row: Rollout, stage: int, now: datetime) -> str:
    """Why the flag may not be raised to `stage` now; empty where it may."""
    flag = Flag.objects.get(pk=row.flag)
    try:
        _refuse_left(row)
        guards.judge(flag, writing.standing(row, flag, stage), now)
        measurable.refuse_without_rest(flag, row.unit, stage)
    except ControlError as exc:
        return str(exc)
    return ""


def _refuse_left(row: Rollout) -> None:
    """Who began it must still be allowed to. Who did at a terminal had the database in hand."""
    if row.origin == "cli":
        return
    user = User.objects.filter(username=row.actor, is_active=True).first()
    role = role_of(user) if user else None
    if role is None or not role.covers(Role.OPERATOR):
        raise RoleTooLow(
            f"{row.actor}, who began it, may raise no stage any more: somebody else is to promote "
            "or abort it."
        )


def _lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(_TRY_LOCK, [_LOCK])
        return bool(cursor.fetchone()[0])
