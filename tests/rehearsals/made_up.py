"""Drills that were never run, for whoever reads what drills have shown."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from console.access.audit import Actor
from console.experiments import surroundings
from console.flags.catalogue import BY_KEY
from console.rehearsals import possible
from console.rehearsals.models import VERDICTS, Rehearsal, State

ACTOR = Actor.at_terminal("ops@here")


def drilled(
    flag: str = "cache.codec", target: str = "gzip", *, state: State = State.PASSED,
    code: str = "", ended_at: datetime | None = None, **found: Any,
) -> Rehearsal:  # fmt: skip
    """`code` "": this one."""
    return Rehearsal.objects.create(
        flag=flag,
        target=target,
        baseline=BY_KEY[flag].baseline,
        state=state,
        why="4 of 20 entries cannot be read." if state == State.FAILED else "All came back.",
        actor=ACTOR.name,
        ended_at=ended_at or timezone.now(),
        code_revision=code or surroundings.code_revision(),
        found={"restored_s": 0.0123, **found} if state in VERDICTS else found,
    )


def all_drilled() -> None:
    """Every variant of every flag of the release has come back on this code, but for those that
    cannot be rehearsed. For tests of something else.
    """
    code = surroundings.code_revision()
    Rehearsal.objects.bulk_create(
        Rehearsal(
            flag=key,
            target=target,
            baseline=definition.baseline,
            state=State.PASSED,
            why="All came back.",
            actor=ACTOR.name,
            ended_at=timezone.now(),
            code_revision=code,
            found={"restored_s": 0.0123},
        )
        for key, definition in BY_KEY.items()
        for target in list(definition.variants)[1:]
        if not possible.why_not(key)
    )
