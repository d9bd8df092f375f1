"""Flags: how they stand and who has them; stages, plans, freezes, rolling back."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any

from django.http import HttpRequest
from ninja import Router

from console.api.asked import COMMON, Asked, body, moment_of
from console.api.auth import operator, viewer
from console.api.flag_rows import (
    FlagChanged,
    FlagInFull,
    Frozen,
    actor_of,
    changed,
    in_full,
    stood,
)
from console.api.problems import Problem
from console.flags import acts, freezing, plans, reading

router = Router(tags=["Flags"])

_WHY = {"reason": "It held at 5 % for a day"}
_PERCENT = {"type": "integer", "minimum": 0, "maximum": 100}
_VARIANT = {"type": ["string", "null"], "description": "Null: as it is."}
_TIME = {"type": "string", "format": "date-time"}
_STAGE = body(
    {
        "stage": _PERCENT,
        "variant": {**_VARIANT, "description": "The target; null: as it is."},
        "rest": {
            **_VARIANT,
            "description": "Of the other units; null: as it is, of another target the baseline.",
        },
        "unit": {**_VARIANT, "description": "item, process or time_slot; null: as it is."},
        "unrehearsed": {
            "type": ["boolean", "null"],
            "default": False,
            "description": "Goes without a drill that came back; for admins.",
        },
        **COMMON,
    },
    ("stage", "reason"),
    {"stage": 25, "variant": "zstd", **_WHY},
)
_PLAIN = body(COMMON, ("reason",), _WHY)
_STEP = {
    "type": "object",
    "required": ["at", "stage"],
    "additionalProperties": False,
    "properties": {"at": _TIME, "stage": _PERCENT},
}
_PLAN = body(
    {
        "through": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100,
            "description": "Up to this stage by those offered, each once the one before baked.",
        },
        "steps": {
            "type": "array",
            "maxItems": 20,
            "items": _STEP,
            "description": "At given times, in the place of `through`.",
        },
        **COMMON,
    },
    ("reason",),
    {"through": 100, **_WHY},
)
_ONLY_WHY = {"reason": COMMON["reason"]}
_FREEZE = body(
    {"until": {**_TIME, "description": "Within 14 days."}, **_ONLY_WHY},
    ("until", "reason"),
    {"until": "2030-01-31T12:00:00Z", "reason": "The quarter ends on Friday"},
)
_THAW = body(_ONLY_WHY, ("reason",), _WHY)


@router.post(
    "/flags/-/freeze", auth=operator, response=Frozen, openapi_extra=_FREEZE, summary="Freeze all"
)
def freeze_all(request: HttpRequest) -> dict[str, Any]:
    """No stage of any flag may be raised until then. Lowering and rolling back stay free, switching
    off does not.
    """
    return _freeze(request, "")


@router.post(
    "/flags/-/thaw",
    auth=operator,
    response=Frozen,
    openapi_extra=_THAW,
    summary="End a freeze of all",
)
def thaw_all(request: HttpRequest) -> dict[str, Any]:
    """Freezes of single flags stay."""
    return _thaw(request, "")


@router.get("/flags/{key}", auth=viewer, response=FlagInFull, summary="Read a flag")
def get_flag(request: HttpRequest, key: str) -> dict[str, Any]:
    """With each worker's word, its plan and its last changes."""
    return in_full(reading.flag(key))


@router.post(
    "/flags/{key}/stage",
    auth=operator,
    response=FlagChanged,
    openapi_extra=_STAGE,
    summary="Move a flag's stage",
)
def stage(request: HttpRequest, key: str) -> dict[str, Any]:
    """Raising is refused while frozen, while a requirement is not in force, and while another flag
    of the layer stands between 0 and 100; `was` says how long the stage had baked. What no unit has
    yet needs a drill of this code that passed: POST /rehearsals, then read it until it has ended.
    """
    fields = ("stage", "variant", "rest", "unit", "unrehearsed", "reason", "revision")
    asked = Asked(request, *fields)
    was = stood(key)
    made = acts.set_stage(
        actor_of(request),
        key,
        stage=asked.whole("stage"),
        target=asked.text_or_none("variant"),
        rest=asked.text_or_none("rest"),
        unit=asked.text_or_none("unit"),
        unrehearsed=asked.flag("unrehearsed", default=False),
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/roll-back",
    auth=operator,
    response=FlagChanged,
    openapi_extra=_PLAIN,
    summary="Roll a flag back",
)
def roll_back(request: HttpRequest, key: str) -> dict[str, Any]:
    """All units get the baseline; never held up by a freeze."""
    asked, was = Asked(request, "reason", "revision"), stood(key)
    made = acts.roll_back(
        actor_of(request), key, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/plan",
    auth=operator,
    response=FlagChanged,
    openapi_extra=_PLAN,
    summary="Plan a flag's stages",
)
def plan(request: HttpRequest, key: str) -> dict[str, Any]:
    """In the place of what was planned. Anybody's own change of the flag ends it."""
    asked = Asked(request, "through", "steps", "reason", "revision")
    was = stood(key)
    made = plans.plan(
        actor_of(request),
        key,
        [_step(step) for step in asked.objects("steps")],
        through=asked.whole("through") if asked.rest("steps").get("through") is not None else None,
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/plan/cancel",
    auth=operator,
    response=FlagChanged,
    openapi_extra=_PLAIN,
    summary="Cancel a flag's plan",
)
def cancel_plan(request: HttpRequest, key: str) -> dict[str, Any]:
    """The stage stays as it is."""
    asked, was = Asked(request, "reason", "revision"), stood(key)
    made = plans.cancel(
        actor_of(request), key, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return changed(made, was)


@router.post(
    "/flags/{key}/freeze",
    auth=operator,
    response=Frozen,
    openapi_extra=_FREEZE,
    summary="Freeze a flag",
)
def freeze(request: HttpRequest, key: str) -> dict[str, Any]:
    """Its stage may not be raised until then. Lowering and rolling back stay free, switching off
    does not.
    """
    return _freeze(request, key)


@router.post(
    "/flags/{key}/thaw",
    auth=operator,
    response=Frozen,
    openapi_extra=_THAW,
    summary="End a flag's freeze",
)
def thaw(request: HttpRequest, key: str) -> dict[str, Any]:
    """Before its time. A freeze of all flags stays."""
    return _thaw(request, key)


def _freeze(request: HttpRequest, key: str) -> dict[str, Any]:
    asked = Asked(request, "until", "reason")
    why, until = asked.text("reason", ""), asked.moment("until")
    found = freezing.freeze(actor_of(request), key, until, reason=why)
    return {"key": key, "until": found.until, "reason": found.reason, "actor": found.actor}


def _thaw(request: HttpRequest, key: str) -> dict[str, Any]:
    asked = Asked(request, "reason")
    freezing.thaw(actor_of(request), key, reason=asked.text("reason", ""))
    return {"key": key, "until": None, "reason": "", "actor": ""}


def _step(step: dict[str, Any]) -> tuple[Any, int]:
    if set(step) != {"at", "stage"}:
        raise Problem(422, "steps: each holds a time `at` and a `stage`, and nothing else.")
    # What is no percent is refused where it is wanted, by name and value.
    return moment_of("steps.at", step["at"]), step["stage"]
