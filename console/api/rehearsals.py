"""Drills of flags: what they showed, and asking for one."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema, Status

from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.flag_rows import actor_of
from console.flags.catalogue import BY_KEY
from console.rehearsals import possible, running, tasks, telling
from console.rehearsals.models import Rehearsal, State

router = Router(tags=["Rehearsals"])

_SHOWN = 100
_START = body(
    {
        "flag": {"type": "string"},
        "target": {"type": "string", "description": "A variant, not the baseline."},
        "reason": COMMON["reason"],
    },
    ("flag", "target", "reason"),
    {"flag": "cache.codec", "target": "zstd", "reason": "It is to be rolled out on Monday"},
)


class Drill(Schema):
    """One drill: baseline, `target`, baseline again, under load. `passed` null: it came to no
    verdict (`state` and `why` say how). `found` has what was measured, {} where nothing was.
    """

    drill: int
    flag: str
    target: str
    baseline: str
    state: Literal["queued", "running", "passed", "failed", "not_run", "interrupted"]
    passed: bool | None
    why: str
    found: dict[str, Any]
    began_at: datetime | None
    ended_at: datetime | None
    machine: dict[str, Any]
    code_revision: str
    flag_revision: int
    actor: str
    repeat: str


class Drills(Schema):
    """The newest first. `not_rehearsable`: the flags that cannot be, and why."""

    drills: list[Drill]
    not_rehearsable: dict[str, str]


@router.get("/rehearsals", auth=viewer, response=Drills, summary="List drills of flags")
def list_rehearsals(
    request: HttpRequest,
    flag: Annotated[str | None, Query(max_length=100, pattern="^[^\\x00]*$")] = None,
) -> dict[str, Any]:
    """The last hundred, of one flag where it is named."""
    running.expire()
    rows = Rehearsal.objects.order_by("-pk")
    rows = rows.filter(flag=flag) if flag else rows
    reasons = {key: why for key in BY_KEY if (why := possible.why_not(key))}
    drills = [telling.as_object(row) for row in rows[:_SHOWN]]
    return {"drills": drills, "not_rehearsable": reasons}


@router.get("/rehearsals/{drill}", auth=viewer, response=Drill, summary="Read a drill")
def get_rehearsal(request: HttpRequest, drill: int) -> dict[str, Any]:
    running.expire()
    row = Rehearsal.objects.filter(pk=drill).first()
    if row is None:
        raise Http404(f"There is no drill {drill}.")
    return telling.as_object(row)


@router.post(
    "/rehearsals",
    auth=operator,
    response={202: Drill},
    openapi_extra=_START,
    summary="Rehearse a flag",
)
def rehearse(request: HttpRequest) -> Status[dict[str, Any]]:
    """Waits for its turn and runs in a process of its own; one of this flag and target that waits
    already is answered in its place.
    """
    asked = Asked(request, "flag", "target", "reason")
    made = running.make(
        asked.text("flag", ""),
        asked.text("target", ""),
        actor_of(request),
        reason=asked.text("reason", ""),
    )
    if made.state == State.QUEUED:
        tasks.ring(made.pk)
    made.refresh_from_db()
    return Status(202, telling.as_object(made))
