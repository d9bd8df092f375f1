"""Alerts: what fires, the catalogue of rules, acknowledging and silencing."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Any, Literal

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja import Query, Router, Schema, Status

from console import alerts
from console.access.audit import Actor
from console.access.tokens import Caller
from console.alerts import seen
from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.problems import Problem

router = Router(tags=["Alerts"])
_REASON = {"reason": COMMON["reason"]}
_SPAN = {"type": "number", "minimum": alerts.SHORTEST_S, "maximum": alerts.LONGEST_S}


class Alert(Schema):
    """One figure past its threshold. `value`: the newest; null, or `unknown_since`: not known now.
    `muted`: why nobody is told. `told`: the severity that somebody was told of, or "over".
    """

    id: int
    rule: str
    title: str
    subject: str
    group: str
    severity: Literal["warning", "critical"]
    state: Literal["pending", "firing", "cleared"]
    value: float | None
    worst: float | None
    threshold: float | None
    words: str
    flaps: int
    told: str
    muted: str
    began_at: datetime
    fired_at: datetime | None
    cleared_at: datetime | None
    seen_at: datetime | None
    unknown_since: datetime | None
    acknowledged_by: str
    acknowledged_at: datetime | None
    acknowledged_reason: str
    page: str
    runbook: str


class Silence(Schema):
    """Nobody is told of what matches; "" is any. `subject` with * and ? as in a shell."""

    id: int
    kind: Literal["silence", "maintenance"]
    rule: str
    group: str
    subject: str
    begins_at: datetime
    ends_at: datetime
    reason: str
    by: str


class Said(Schema):
    source: str
    says: str


class Rule(Schema):
    """One line of the catalogue; `said`: what the source documents say, `why`: what we follow."""

    key: str
    title: str
    group: str
    subject: str
    unit: str
    breach: Literal["above", "below"]
    warning: float | None
    critical: float | None
    hold_s: float
    clear_s: float
    least: float
    absent: Literal["hold", "fire", "clear"]
    mutes: list[str]
    page: str
    runbook: str
    expr: str
    said: list[Said]
    why: str


class Alerts(Schema):
    """`looked_at`: when all rules were last looked at, by Postgres' clock, which happens every five
    seconds; null: never. `is_missed`: that is too long ago, and what fires now is not known.
    """

    looked_at: datetime | None
    is_missed: bool
    alerts: list[Alert]
    silences: list[Silence]


class Test(Schema):
    """`key`: of the notification, which stands in its text too."""

    key: str
    destinations: list[str]
    created_at: datetime


class Wanted(Schema):
    """`state`: open ones where it is left out. At most `limit` alerts, the newest first."""

    state: Literal["firing", "pending", "cleared"] | None = None
    limit: int = 100


@router.get("/alerts", auth=viewer, response=Alerts, summary="List alerts and silences")
def list_alerts(request: HttpRequest, wanted: Query[Wanted]) -> dict[str, Any]:
    """Without `state` those that fire or are about to; silences in force and to come."""
    if not 1 <= wanted.limit <= seen.MOST:
        raise Problem(422, f"limit: {wanted.limit} is not a whole number from 1 to {seen.MOST}.")
    states = [wanted.state] if wanted.state else ["firing", "pending"]
    found = seen.alerts(states, wanted.limit)
    return {"alerts": found, "silences": seen.silences(timezone.now()), **seen.looked()}


@router.get("/alerts/rules", auth=viewer, response=list[Rule], summary="Read the catalogue")
def list_rules(request: HttpRequest) -> list[dict[str, Any]]:
    """Each threshold with what the source documents say, and why it is the one."""
    return seen.rules()


@router.post(
    "/alerts/test",
    auth=operator,
    response={202: Test},
    summary="Send a test notification",
    openapi_extra=body(_REASON, ("reason",), {"reason": "A new channel was added."}),
)
def send_test(request: HttpRequest) -> Status[dict[str, Any]]:
    """To everybody whom NOTIFY_URLS names, by the way that alerts go; 409 where it names nobody,
    and for a second one in the same minute.
    """
    asked = Asked(request, "reason")
    made = alerts.send_test(_actor(request), reason=asked.text("reason"))
    names = [one.name for one in settings.NOTIFY_DESTINATIONS]
    said = {"key": made.key, "destinations": names, "created_at": made.created_at}
    return Status(202, said)


@router.post(
    "/alerts/{number}/acknowledge",
    auth=operator,
    response=Alert,
    summary="Acknowledge an alert",
    openapi_extra=body(_REASON, ("reason",), {"reason": "I am looking into the pool."}),
)
def acknowledge(request: HttpRequest, number: int) -> dict[str, Any]:
    """Says that somebody is at it. 404 where there is none, 409 where it is over."""
    asked = Asked(request, "reason")
    try:
        return seen.alert_of(
            alerts.acknowledge(_actor(request), number, reason=asked.text("reason"))
        )
    except alerts.UnknownAlert as exc:
        raise Problem(404, str(exc)) from exc


@router.post(
    "/silences",
    auth=operator,
    response={201: Silence},
    summary="Silence alerts for a time",
    openapi_extra=body(
        {
            **_REASON,
            "rule": {"type": "string", "maxLength": 64},
            "group": {"type": "string", "maxLength": 16},
            "subject": {"type": "string", "maxLength": 160},
            "kind": {"type": "string", "enum": list(alerts.KINDS), "default": "silence"},
            "for_s": _SPAN,
            "begins_at": {"type": ["string", "null"], "format": "date-time"},
        },
        ("reason", "for_s"),
        {"rule": "replica.lag", "for_s": 3600, "reason": "The replica is being rebuilt."},
    ),
)
def silence(request: HttpRequest) -> Status[dict[str, Any]]:
    """Nobody is told of what matches until it ends; it is shown all the same. Maintenance may begin
    later; of everything (neither rule nor group) it is an admin's.
    """
    fields = ("reason", "rule", "group", "subject", "kind", "for_s", "begins_at")
    asked = Asked(request, *fields)
    made = alerts.silence(
        _actor(request),
        rule=asked.text("rule", ""),
        group=asked.text("group", ""),
        subject=asked.text("subject", ""),
        kind=asked.text("kind", "silence"),
        for_s=asked.needed_number("for_s"),
        begins_at=None if asked.text_or_none("begins_at") is None else asked.moment("begins_at"),
        reason=asked.text("reason"),
    )
    return Status(201, seen.silence_of(made))


@router.post(
    "/silences/{number}/end",
    auth=operator,
    response=Silence,
    summary="End a silence",
    openapi_extra=body(_REASON, ("reason",), {"reason": "The replica is back."}),
)
def end_silence(request: HttpRequest, number: int) -> dict[str, Any]:
    """What fires is told again. 404 where there is none, 409 where it has ended."""
    asked = Asked(request, "reason")
    try:
        return seen.silence_of(
            alerts.end_silence(_actor(request), number, reason=asked.text("reason"))
        )
    except alerts.UnknownAlert as exc:
        raise Problem(404, str(exc)) from exc


def _actor(request: HttpRequest) -> Actor:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    return Actor.by_api(caller)
