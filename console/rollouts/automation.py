"""Whether rollouts go on by themselves: more than three taken back in ten minutes stop them all,
until an operator has looked. Taking back goes on meanwhile.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction

from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import hold_revision
from console.controls.errors import Refused
from console.flags import clock
from console.rollouts import writing
from console.rollouts.models import Automation, HeldFor, Rollout, State

MOST: Final = 3
WITHIN: Final = timedelta(minutes=10)


def why_stopped() -> str:
    """Empty while they go on."""
    row = Automation.objects.filter(pk=1).first()
    return row.why if row is not None and row.stopped_at is not None else ""


def stop_if_due(actor: Actor, now: datetime) -> bool:
    """Caller has just taken one back, and holds the lock of the revision."""
    row = Automation.objects.filter(pk=1).first() or Automation(pk=1)
    since = now - WITHIN if row.looked_at is None else max(row.looked_at, now - WITHIN)
    taken_back = Rollout.objects.filter(state=State.ROLLED_BACK, ended_at__gt=since)
    names = list(taken_back.order_by("ended_at").values_list("flag", flat=True))
    if len(names) <= MOST or row.stopped_at is not None:
        return False
    minutes = WITHIN.total_seconds() / 60
    row.stopped_at = now
    row.why = (
        f"Rollouts are stopped: {len(names)} were taken back within {minutes:.0f} min "
        f"({', '.join(names)}). None goes on by itself until an operator has looked."
    )
    row.save()
    _tell(actor, "stop", row.why)
    going = Rollout.objects.select_for_update().filter(state__in=(State.RUNNING, State.HELD))
    for other in going.exclude(held_for=HeldFor.OPERATOR):
        stopped = replace(writing.at(other), state=str(State.STOPPED), held_for="")
        writing.settle(
            other,
            stopped,
            actor=actor,
            decision="stop",
            why=row.why,
            now=now,
            numbers=other.numbers,
        )
    return True


def go_on(actor: Actor, *, reason: str) -> None:
    """Somebody has looked. Those that were stopped are held until they are resumed, one by one."""
    needs(actor, Role.OPERATOR, "Letting rollouts go on")
    reason = reason_of(reason)
    with transaction.atomic():
        hold_revision()
        row = Automation.objects.select_for_update().filter(pk=1).first()
        if row is None or row.stopped_at is None:
            raise Refused("rollout", "-", "stopped: rollouts go on by themselves")
        now = clock.now()
        row.stopped_at, row.why, row.looked_at, row.actor = None, "", now, actor.name
        row.save()
        _tell(actor, "go_on", reason)
        for other in Rollout.objects.select_for_update().filter(state=State.STOPPED):
            held = replace(writing.at(other), state=str(State.HELD), held_for=str(HeldFor.OPERATOR))
            why = f"{actor.name} let rollouts go on: resume this one when it is to. {reason}"
            writing.settle(
                other, held, actor=actor, decision="hold", why=why, now=now, numbers=other.numbers
            )


def _tell(actor: Actor, action: str, reason: str) -> None:
    on, stopped = {"automation": "on"}, {"automation": "stopped"}
    was, now_is = (on, stopped) if action == "stop" else (stopped, on)
    writing.tell(actor, action, "", was=was, now_is=now_is, reason=reason)
