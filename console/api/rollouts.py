"""Guarded rollouts: how they stand, what was decided and why; starting and steering them."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema

from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.flag_rows import actor_of
from console.api.problems import Problem, field_error
from console.rollouts import acts, automation, beginning, bounds, seen, telling
from console.rollouts.comparing import METRICS
from console.rollouts.errors import Stale, UnknownRollout
from console.rollouts.models import Rollout as Row

router = Router(tags=["Rollouts"])

_WHY = {"reason": "It held in all experiments"}
_GUARD = {
    "type": "object",
    "required": ["metric", "most"],
    "additionalProperties": False,
    "properties": {
        "metric": {"enum": list(METRICS)},
        "most": {
            "type": "number",
            "minimum": 0,
            "maximum": 10,
            "description": "Treated may be above untreated by this part; of error_share a share.",
        },
    },
}
_START = body(
    {
        "flag": {"type": "string"},
        "target": {"type": "string", "description": "A variant of it."},
        "unit": {
            "type": ["string", "null"],
            "description": "item or process; null: as the flag is.",
        },
        "stages": {
            "type": ["array", "null"],
            "items": {"type": "integer", "minimum": 1, "maximum": 100},
            "description": "Rising; null: 5, 25, 50, 100.",
        },
        "bake_s": {
            "type": "integer",
            "minimum": bounds.SHORTEST_BAKE_S,
            "maximum": bounds.LONGEST_BAKE_S,
            "default": bounds.BAKE_S,
        },
        "guards": {"type": "array", "items": _GUARD, "description": "Absent: one of each metric."},
        "gates": {"type": "array", "items": {"type": "string"}},
        "least_units": {
            "type": "integer",
            "minimum": bounds.FEWEST_UNITS,
            "maximum": bounds.MOST_UNITS,
            "default": bounds.LEAST_UNITS,
        },
        "reason": COMMON["reason"],
        "revision": {
            "type": ["integer", "null"],
            "description": "Of the flag, as you saw it; another answers 409.",
        },
    },
    ("flag", "target", "reason"),
    {"flag": "rpc.fetch_mode", "target": "coalesced", **_WHY},
)
_PLAIN = body(COMMON, ("reason",), _WHY)
_FIELDS = ("flag", "target", "unit", "stages", "bake_s", "guards", "gates", "least_units")


class Guard(Schema):
    """Treated against untreated in the last window, or in the stage as a whole. `ratio`: by which
    part treated are above (error_share: by which share); `least_ratio`: at least, as far as noise
    tells; `finds`: what such a window finds in 19 of 20. Null: too few units to say.
    """

    metric: Literal["error_share", "mean_s", "p95_s"]
    most: float
    treated: float | None
    untreated: float | None
    treated_units: int
    untreated_units: int
    ratio: float | None
    least_ratio: float | None
    held: bool | None
    finds: float | None
    words: str


class Step(Schema):
    """One decision, with what it saw. `actor` "": by itself."""

    at: datetime
    decision: str
    stage: int
    words: str
    guards: list[Guard]
    flag_revision: int
    actor: str


class Rollout(Schema):
    """One rollout. `why` says what it waits for, or how it ended; `next_at` when the next stage is
    due, if all holds; `revision` is what an act of yours is based on. `log` is [] in a list.
    """

    id: int
    flag: str
    target: str
    rest: str
    unit: str
    layer: str
    state: Literal["rehearsing", "running", "held", "stopped", "done", "rolled_back", "aborted"]
    held_for: Literal["", "operator", "missing", "refused"]
    stage: int
    stages: list[int]
    next_stage: int | None
    next_at: datetime | None
    bake_s: int
    baked_s: float | None
    guards: list[Guard]
    seen_at: datetime | None
    gates: list[str]
    least_units: int
    power: str
    why: str
    reason: str
    actor: str
    created_at: datetime
    ended_at: datetime | None
    cooling_until: datetime | None
    revision: int
    flag_revision: int
    acts: list[str]
    is_active: bool
    log: list[Step]
    now: datetime


class Automation(Schema):
    """`is_stopped`: none goes on by itself, until an operator lets them."""

    is_stopped: bool
    since: datetime | None
    why: str


class Rollouts(Schema):
    """The newest first."""

    rollouts: list[Rollout]
    automation: Automation


@router.get("/rollouts", auth=viewer, response=Rollouts, summary="List rollouts")
def list_rollouts(
    request: HttpRequest,
    flag: Annotated[str | None, Query(max_length=100, pattern="^[^\\x00]*$")] = None,
) -> dict[str, Any]:
    """The last hundred, of all flags or of one, without their logs."""
    return {
        "rollouts": [telling.as_object(one) for one in seen.all_of_them(flag=flag)],
        "automation": seen.automation(),
    }


@router.post(
    "/rollouts", auth=operator, response=Rollout, openapi_extra=_START, summary="Start a rollout"
)
def start_rollout(request: HttpRequest) -> dict[str, Any]:
    """From 0 % a drill comes first, where no good one of this code is at most a week old. Refused
    while another one of the flag or its layer is under way, and for 30 min after it was taken back.
    """
    asked = Asked(request, *_FIELDS, "reason", "revision")
    given = asked.rest("flag", "target", "unit", "reason", "revision", "guards", "gates", "stages")
    if "stages" in asked:
        given["stages"] = _stages(asked.rest()["stages"])
    if "guards" in asked:
        given["guards"] = asked.objects("guards")
    made = beginning.start(
        actor_of(request),
        asked.text("flag"),
        asked.text("target"),
        unit=asked.text_or_none("unit"),
        gates=asked.texts("gates") if "gates" in asked else (),
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
        **given,
    )
    return _told(made.pk)


@router.post(
    "/rollouts/-/resume",
    auth=operator,
    response=Automation,
    openapi_extra=body({"reason": COMMON["reason"]}, ("reason",), _WHY),
    summary="Let rollouts go on",
)
def let_rollouts_go_on(request: HttpRequest) -> Any:
    """After more than three were taken back in ten minutes. Those that were stopped are held then,
    each until it is resumed.
    """
    asked = Asked(request, "reason")
    automation.go_on(actor_of(request), reason=asked.text("reason", ""))
    return seen.automation()


@router.get("/rollouts/{pk}", auth=viewer, response=Rollout, summary="Read a rollout")
def get_rollout(request: HttpRequest, pk: int) -> dict[str, Any]:
    """With every decision and what it saw."""
    return _told(pk)


@router.post(
    "/rollouts/{pk}/promote",
    auth=operator,
    response=Rollout,
    openapi_extra=_PLAIN,
    summary="Promote a rollout",
)
def promote(request: HttpRequest, pk: int) -> dict[str, Any]:
    """To its next stage at once, without the rest of its bake."""
    return _act(request, pk, acts.promote)


@router.post(
    "/rollouts/{pk}/hold",
    auth=operator,
    response=Rollout,
    openapi_extra=_PLAIN,
    summary="Hold a rollout",
)
def hold(request: HttpRequest, pk: int) -> dict[str, Any]:
    """It stays at its stage; its guards take it back all the same."""
    return _act(request, pk, acts.hold)


@router.post(
    "/rollouts/{pk}/resume",
    auth=operator,
    response=Rollout,
    openapi_extra=_PLAIN,
    summary="Resume a rollout",
)
def resume(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Its stage bakes anew."""
    return _act(request, pk, acts.resume)


@router.post(
    "/rollouts/{pk}/abort",
    auth=operator,
    response=Rollout,
    openapi_extra=_PLAIN,
    summary="Abort a rollout",
)
def abort(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Taken back at once; never held up by a freeze."""
    return _act(request, pk, acts.abort)


def _act(request: HttpRequest, pk: int, act: Callable[..., Row]) -> dict[str, Any]:
    asked = Asked(request, "reason", "revision")
    why, revision = asked.text("reason", ""), asked.revision()
    try:
        act(actor_of(request), pk, reason=why, revision=revision)
    except UnknownRollout as exc:
        raise Http404(str(exc)) from exc
    except Stale as exc:
        raise Problem(409, str(exc), revision=exc.revision) from exc
    return _told(pk)


def _told(pk: int) -> dict[str, Any]:
    found = seen.one(pk)
    if found is None:
        raise Http404(f"There is no rollout {pk}.")
    return telling.as_object(found)


def _stages(value: object) -> list[object] | None:
    if value is not None and not isinstance(value, list):
        raise field_error("stages", value, "a list of whole percents, or null")
    return value
