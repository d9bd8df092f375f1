"""What was decided, written down: the flag, the rollout, its log and the trail, or nothing of it.

Whoever changes a flag takes the lock of the revision before the rollout's row: operators and the
controller take them in the same order.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import F

from console.access import audit
from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import LONGEST_REASON
from console.controls.change import Act
from console.flags.changing import Change, restage
from console.flags.models import Flag
from console.flags.standing import Standing
from console.rollouts import records
from console.rollouts.judging import Position
from console.rollouts.models import ACTIVE, KIND, Rollout, RolloutStep
from console.rollouts.records import Record
from monitoring import events

# Of who acts without a person.
ORIGIN: Final = "rollout"


class Lost(Exception):
    """Somebody else changed the rollout meanwhile: nothing is written."""


def at(row: Rollout) -> Position:
    return Position(
        state=row.state,
        held_for=row.held_for,
        stage=row.stage,
        stages=tuple(row.stages),
        bake_s=float(row.bake_s),
        baking_since_s=_seconds(row.baking_since),
        has_baked=row.has_baked,
        missing_since_s=_seconds(row.missing_since),
    )


def standing(row: Rollout, flag: Flag, stage: int) -> Standing:
    """How the flag would stand at `stage` of it."""
    return Standing(
        target=row.target, rest=row.rest, stage=stage, unit=row.unit, enabled=flag.enabled
    )


def by_itself(row: Rollout) -> Actor:
    """Who began it, by the rollout's own hand."""
    return Actor(
        name=row.actor,
        role=Role(row.role),
        origin=ORIGIN,
        token=row.token,
        source=row.source,
    )


def watch(
    row: Rollout, position: Position, *, why: str, record: Record, numbers: Sequence[Any]
) -> None:
    """No news: what was seen is kept. Nobody's view of it gets old by that."""
    _update(
        row,
        position,
        record=records.pack(record),
        numbers=list(numbers),
        why=why or row.why,
        seen_at=_moment(record.looked_s),
    )


def settle(
    row: Rollout,
    position: Position,
    *,
    actor: Actor,
    decision: str,
    why: str,
    now: datetime,
    reason: str = "",
    numbers: Sequence[Any] = (),
    record: Record | None = None,
) -> None:
    """News: the row, its log and the trail. Raises Lost. `reason`: of a person."""
    before = {"state": row.state, "stage": row.stage, "rollout": row.pk}
    fields: dict[str, Any] = {"why": why, "numbers": list(numbers), "revision": F("revision") + 1}
    fields["flag_revision"] = row.flag_revision
    if position.state not in ACTIVE:
        fields |= {"ended_at": now, "record": b""}
    elif record is not None:
        fields |= {"record": records.pack(record), "seen_at": _moment(record.looked_s)}
    _update(row, position, **fields)
    RolloutStep.objects.create(
        rollout=row,
        at=now,
        decision=decision,
        stage=position.stage,
        why=why,
        numbers=list(numbers),
        flag_revision=row.flag_revision,
        actor="" if actor.origin == ORIGIN else actor.name,
    )
    after = {"state": position.state, "stage": position.stage, "rollout": row.pk}
    tell(actor, decision, row.flag, was=before, now_is=after, reason=reason or why)


def tell(
    actor: Actor,
    action: str,
    flag: str,
    *,
    was: Mapping[str, Any],
    now_is: Mapping[str, Any],
    reason: str,
) -> None:
    """Writes the trail's entry, and nudges the pages that show it."""
    audit.record(
        actor,
        action,
        kind=KIND,
        target=flag,
        before=was,
        after=now_is,
        reason=one_line(reason),
    )
    topics = ("rollouts", "flags", f"flag:{flag}", "overview")
    transaction.on_commit(lambda: events.publish(*topics))


def restaged(row: Rollout, stage: int, *, actor: Actor, reason: str) -> None:
    """Sets the flag's stage, if nobody changed the flag since; the row then goes by its revision.
    Raises Conflict, UnknownFlag and whatever refuses it.
    """
    action = "roll_back" if stage == 0 else "stage"
    words = one_line(f"Rollout {row.pk}: {reason}")
    act = Act(actor=actor, action=action, reason=words, based_on=row.flag_revision)
    made = restage(Change(act=act, key=row.flag), lambda flag, _: standing(row, flag, stage))
    row.flag_revision = made.revision


def one_line(text: str) -> str:
    """As the trail takes it."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_REASON else f"{line[: LONGEST_REASON - 1]}…"


def _update(row: Rollout, position: Position, **fields: Any) -> None:
    mine = Rollout.objects.filter(pk=row.pk, revision=row.revision)
    told = {
        "state": position.state,
        "held_for": position.held_for,
        "stage": position.stage,
        "baking_since": _moment(position.baking_since_s),
        "has_baked": position.has_baked,
        "missing_since": _moment(position.missing_since_s),
    }
    if not mine.update(**told, **fields):
        raise Lost


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
