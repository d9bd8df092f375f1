"""Breakers: the fleet's, one with each worker's, and what an operator wants of it."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema

from console import controls, fleetview
from console.access.audit import Actor
from console.access.tokens import Caller
from console.api.asked import COMMON, FOR_S, Asked, body
from console.api.auth import operator, viewer
from console.api.problems import Problem, field_error
from console.api.wanted import Desired, audit_id_of, desired_of, heard_fleet
from console.controls import Order
from console.controls.bounds import DEFAULT_S, MODES
from console.fleetview import Fleet, FleetBreaker, WorkerBreaker
from validation.resilience import THRESHOLDS

router = Router(tags=["Breakers"])


class Change(Schema):
    """A change of state in one worker; `at` in epoch seconds by its clock."""

    worker: str
    at: float
    before: str
    after: str
    cause: str


class OnWorker(Schema):
    """The breaker in one process, by its word of `age_s` ago. Rates are null: too few calls.

    `made_at`, in epoch seconds: before that there was none.
    """

    worker: str
    worker_state: Literal["up", "stale", "gone"]
    age_s: float
    acknowledged: bool
    state: str
    computed: str
    failure_rate: float | None
    slow_rate: float | None
    calls: int
    failures: int
    slow: int
    rejected: int
    trips: int
    retry_in_s: float | None
    p50_ms: float | None
    p95_ms: float | None
    forced_for_s: float | None
    revision: int
    settings: dict[str, float]
    made_at: float | None


class Breaker(Schema):
    """Over all workers. `state` and `computed` are the worst of those up; null: none reports.

    `acknowledged` of `workers` obey what is desired; null, and `reachable` false: nobody could be
    asked. Counts are summed over the windows of the workers up, the oldest word of which is `age_s`
    old. Rates are null while no worker has had enough calls to say.
    """

    name: str
    reachable: bool
    state: str | None
    computed: str | None
    spread: str
    by_state: dict[str, int]
    by_computed: dict[str, int]
    desired: Desired
    acknowledged: int | None
    workers: int | None
    calls: int | None
    failures: int | None
    slow: int | None
    rejected: int | None
    trips: int | None
    failure_rate: float | None
    slow_rate: float | None
    p95_ms: float | None
    retry_in_s: float | None
    age_s: float | None


class BreakerInFull(Breaker):
    on_workers: list[OnWorker]
    transitions: list[Change]


class BreakerList(Schema):
    """The worst first."""

    breakers: list[Breaker]


class Overridden(BreakerInFull):
    """`audit_id` is the entry of this act, by which it can be taken back."""

    audit_id: int | None


_BODY = body(
    {
        "mode": {"type": "string", "enum": [*MODES, "auto"]},
        "reset": {"type": "boolean", "enum": [True]},
        "settings": {
            "type": "object",
            "description": "Thresholds in place of those tuned before; none: what was tuned ends.",
            "additionalProperties": False,
            "properties": {
                name: {
                    "type": "integer" if bound.kind is int else "number",
                    "minimum": bound.low,
                    "maximum": bound.high,
                    "description": bound.text,
                }
                for name, bound in THRESHOLDS.items()
            },
        },
        "for_s": {
            **FOR_S,
            "type": ["number", "null"],
            "description": "Seconds until it ends by itself. Null, of settings only and for "
            "admins only: it lasts.",
        },
        "confirm": {"type": "string", "description": "The breaker's name, to force it open."},
        **COMMON,
    },
    ("reason",),
    {
        "mode": "forced_open",
        "for_s": 900,
        "reason": "The node answers with stale blocks",
        "confirm": "node:10.0.0.7:8545:lookup",
    },
)


@router.get("/breakers", auth=viewer, response=BreakerList, summary="List breakers")
def list_breakers(request: HttpRequest) -> dict[str, Any]:
    """Every breaker that is configured, reported or was ever changed; 503 when nobody reports."""
    fleet = heard_fleet()
    return {"breakers": [_row(found, fleet) for found in fleetview.breakers(fleet)]}


@router.get("/breakers/{name}", auth=viewer, response=BreakerInFull, summary="Read a breaker")
def get_breaker(request: HttpRequest, name: str) -> dict[str, Any]:
    """What is desired, what each worker computes and does, and its last changes of state."""
    return _in_full(name, heard_fleet())


@router.post(
    "/breakers/{name}/override",
    auth=operator,
    response=Overridden,
    openapi_extra=_BODY,
    summary="Override a breaker",
)
def override(request: HttpRequest, name: str) -> dict[str, Any]:
    """One of `mode`, `reset` or `settings`, in every worker. Answers at once: read the breaker
    again to see it acknowledged. To force it open, `confirm` holds its name.
    """
    fields = ("mode", "reset", "settings", "for_s", "reason", "revision", "confirm")
    order = _act(request, name, Asked(request, *fields))
    return _in_full(name, fleetview.look()) | {"audit_id": audit_id_of(order.revision)}


def _act(request: HttpRequest, name: str, asked: Asked) -> Order:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    actor = Actor.by_api(caller)
    if sum(act in asked for act in ("mode", "reset", "settings")) != 1:
        raise Problem(422, "Give exactly one of the fields mode, reset and settings.")
    reason, seen = asked.text("reason", ""), asked.revision()
    if "settings" in asked:
        return controls.tune_breaker(
            actor,
            name,
            asked.mapping("settings"),
            reason=reason,
            for_s=asked.number_or_null("for_s", DEFAULT_S),
            based_on=seen,
        )
    if "reset" in asked:
        if not asked.flag("reset"):
            raise field_error("reset", False, "true")
        return controls.reset_breaker(actor, name, reason=reason, based_on=seen)
    if (mode := asked.text("mode")) == "auto":
        return controls.release_breaker(actor, name, reason=reason, based_on=seen)
    return controls.override_breaker(
        actor,
        name,
        mode,
        reason=reason,
        for_s=asked.number("for_s", DEFAULT_S),
        based_on=seen,
        confirm=asked.text("confirm", ""),
    )


def _in_full(name: str, fleet: Fleet) -> dict[str, Any]:
    found = fleetview.breaker(name, fleet)
    if found is None:
        raise Problem(404, f"There is no breaker {name[:160]!r}: /api/v1/breakers lists them.")
    changes = [
        {"worker": worker, **msgspec.structs.asdict(change)} for worker, change in found.transitions
    ]
    return _row(found, fleet) | {
        "on_workers": [_on_worker(row) for row in found.rows],
        "transitions": changes,
    }


def _row(found: FleetBreaker, fleet: Fleet) -> dict[str, Any]:
    own = set(Breaker.model_fields) - {"desired", "reachable", "acknowledged", "workers"}
    return {name: getattr(found, name) for name in own} | {
        "desired": desired_of(found.desired),
        "reachable": fleet.reachable,
        "acknowledged": found.acknowledged if fleet.reachable else None,
        "workers": found.workers if fleet.reachable else None,
    }


def _on_worker(row: WorkerBreaker) -> dict[str, Any]:
    return msgspec.structs.asdict(row.report) | {
        "worker": row.worker.id,
        "worker_state": row.worker.state,
        "age_s": row.age_s,
        "acknowledged": row.acknowledged,
    }
