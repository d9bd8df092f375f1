"""A drill is asked for, or found without a runner: all but running it.

Light, so that pages, guards and workers can; `rehearsing` brings engines.
"""

from datetime import datetime
from typing import Final, NamedTuple

from django.db import IntegrityError, transaction
from django.db.models.functions import Now

from console.access import audit
from console.access.audit import Actor
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.rehearsals import possible, standing
from console.rehearsals.models import KIND, Rehearsal, State

# Renewed by whoever runs it, and longer than anything takes that it does in between.
LEASE_S: Final = 300.0
REASON: Final = "The way back is to be known before anybody goes there."


class Asked(NamedTuple):
    """`is_new`: it was made for whoever asked, not for somebody before."""

    drill: Rehearsal
    is_new: bool


def make(flag: str, target: str, actor: Actor, *, reason: str = REASON) -> Rehearsal:
    """One that waits; where one of this flag and target waits or runs already, that one. Raises
    RoleTooLow, NotRehearsable and Refused.
    """
    return ask(flag, target, actor, reason=reason).drill


def ask(flag: str, target: str, actor: Actor, *, reason: str = REASON) -> Asked:
    """As `make`, for who has to know whose it is."""
    needs(actor, Role.OPERATOR, "Rehearsing a flag")
    baseline, reason = possible.baseline_of(flag, target), reason_of(reason)
    expire()
    if (there := standing.waiting(flag, target)) is not None:
        return Asked(there, is_new=False)
    try:
        return Asked(_make(flag, target, baseline, actor, reason), is_new=True)
    except IntegrityError:  # somebody else asked for it at the same moment
        if (there := standing.waiting(flag, target)) is None:
            raise
        return Asked(there, is_new=False)


def _make(flag: str, target: str, baseline: str, actor: Actor, reason: str) -> Rehearsal:
    with transaction.atomic():
        made = Rehearsal.objects.create(
            flag=flag, target=target, baseline=baseline, actor=actor.name
        )
        after = {"drill": made.pk, "target": target}
        audit.record(
            actor, "rehearse", kind=KIND, target=flag, before={}, after=after, reason=reason
        )
    return made


def give_up(rehearsal: Rehearsal, why: str) -> None:
    """One that waits, and that nobody is to begin any more."""
    waiting = Rehearsal.objects.filter(pk=rehearsal.pk, state=State.QUEUED)
    waiting.update(state=State.INTERRUPTED, ended_at=Now(), why=why)


def expire(now: datetime | None = None) -> int:
    """Says of those whose runner is gone that they were interrupted; how many. By the database's
    clock, whatever this host's says.
    """
    gone = Rehearsal.objects.filter(state=State.RUNNING, lease_until__lt=now or Now())
    return gone.update(
        state=State.INTERRUPTED,
        ended_at=now or Now(),
        lease_until=None,
        why="Whoever ran it is gone: it gave no sign of life in time.",
    )
