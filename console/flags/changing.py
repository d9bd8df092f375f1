"""One change of one flag: its row, one revision, one audit entry and one event, or nothing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from console.controls.change import Act, change_flags
from console.controls.errors import Conflict, Refused, UnknownFlag
from console.controls.orders import Order
from console.flags import guards
from console.flags.models import Flag, PlannedStage
from console.flags.rehearsed import lack_drills, told_of
from console.flags.standing import Standing
from validation.models import ControlKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """`of_plan`: the flag's plan goes on; else what still waits of it lapses. `unrehearsed`: an
    admin goes without a drill, which the trail tells.
    """

    act: Act
    key: str
    of_plan: bool = False
    unrehearsed: bool = False


type Alter = Callable[[Flag, datetime], Standing]


def restage(change: Change, alter: Alter) -> Flag:
    """Writes what `alter` makes of how the flag stands; what it raises is raised, nothing done."""
    changed: list[Flag] = []

    def write(revision: int, now: datetime) -> tuple[dict[str, object], dict[str, object]]:
        flag = locked(change.key, change.act.based_on)
        before = Standing.of(flag)
        after = alter(flag, now)
        if after == before:
            raise Refused("stage", after.stage, f"a change: {flag.key} is {after.words} already")
        # What is taken back to was let in once.
        needs_drill = not change.unrehearsed and change.act.reverts is None
        guards.judge(flag, after, now, needs_drill=needs_drill)
        lacking = lack_drills(flag, before, after) if change.unrehearsed else ()
        after.write(flag)
        flag.staged_at = now
        stamp(flag, change.act, revision, now)
        flag.save()
        carry_plan(flag, change, now)
        changed.append(flag)
        return before.as_json(), after.as_json() | told_of(lacking)

    change_flags(change.act, change.key, write)
    return changed[0]


def locked(key: str, based_on: int | None) -> Flag:
    """Raises UnknownFlag, and Conflict with what holds now. Caller holds the revision's lock."""
    flag = Flag.objects.select_for_update().filter(pk=key).first()
    if flag is None:
        raise UnknownFlag(f"There is no flag {key[:160]!r}: /flags/ lists them.")
    refuse_unseen(flag, based_on)
    return flag


def refuse_unseen(flag: Flag, based_on: int | None) -> None:
    if conflict := Conflict.between(based_on, order_of(flag)):
        text = f"{conflict} Now: {Standing.of(flag).words}, revision {flag.revision}."
        raise Conflict(text, conflict.current)


def rewritten(flag: Flag, change: Change, revision: int, now: datetime, *, stood: Standing) -> Flag:
    """Keeps what a flag is by now; its stage bakes anew where it stands other than it `stood`."""
    if Standing.of(flag) != stood:
        flag.staged_at = now
    stamp(flag, change.act, revision, now)
    flag.save()
    carry_plan(flag, change, now)
    return flag


def order_of(flag: Flag) -> Order:
    return Order(
        kind=ControlKind.FLAGS,
        name=flag.key,
        revision=flag.revision,
        reason=flag.reason,
        actor=flag.actor,
        changed_at=flag.changed_at,
    )


def stamp(flag: Flag, act: Act, revision: int, now: datetime) -> None:
    flag.revision, flag.changed_at = revision, now
    flag.actor, flag.reason = act.actor.name, act.reason


def carry_plan(flag: Flag, change: Change, now: datetime) -> None:
    """A plan goes on from its own step, and lapses at anybody else's."""
    waiting = PlannedStage.objects.filter(flag=flag, state=PlannedStage.State.WAITING)
    if change.of_plan:
        waiting.update(based_on=flag.revision)
        return
    note = f"{flag.actor} changed the flag: {flag.reason}"
    waiting.update(state=PlannedStage.State.LAPSED, settled_at=now, note=note[:300])
