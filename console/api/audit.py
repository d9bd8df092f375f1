"""The audit trail: every act of an operator, whether its chain is whole, and taking one back."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import UTC, datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from console import controls, fleetview
from console.access import trail
from console.access.audit import Actor
from console.access.models import AuditCheck, AuditEntry
from console.access.roles import Role
from console.access.scopes import Scope
from console.access.tokens import Caller
from console.access.trail import Sought
from console.api.asked import COMMON, Asked, body
from console.api.auth import needs_scope, reverter, viewer
from console.api.wanted import Desired, audit_id_of, desired_of
from console.controls import node_reverts
from console.roadmap import edits
from validation.models import ControlKind

router = Router(tags=["Audit"])


class Entry(Schema):
    """One act. `before` and `after` are what was wanted; empty for a purge. `source`: a network
    address, or user@host of a terminal. `hash` covers the row and `previous_hash`.
    """

    id: int
    at: datetime
    actor: str
    role: str
    origin: str
    token: str
    source: str
    trace_id: str
    action: str
    kind: str
    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    revision: int | None
    reverts_id: int | None
    position: int
    previous_hash: str
    hash: str


class ChainState(Schema):
    """What the last check of the chain found: whole up to `position`, or broken where `said` says.
    Null at `checked_at`: it was not checked yet.
    """

    checked_at: datetime | None
    whole: bool | None
    position: int | None
    fault: str
    fault_position: int | None
    said: str


class EntryList(Schema):
    """Newest first. `next` is the `before` of the following page, null on the last."""

    entries: list[Entry]
    next: int | None
    chain: ChainState


type Words = Annotated[str, Field(max_length=160, pattern="^[^\\x00]*$")]


class EntryFilter(Schema):
    """`who`, `target` and `q` are words or their beginnings: of names, and for `q` of reasons,
    names, sources and trace ids. Times without a zone are UTC.
    """

    who: Words = ""
    kind: Words = ""
    target: Words = ""
    action: Words = ""
    q: Words = ""
    since: Annotated[datetime | None, Field(alias="from")] = None
    until: Annotated[datetime | None, Field(alias="to")] = None
    before: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Reverted(Schema):
    """What is wanted again. `audit_id` is the entry of this act, which can be taken back too."""

    audit_id: int | None
    kind: str
    target: str
    desired: Desired
    acknowledged: int
    workers: int


_BODY = body(
    {
        "confirm": {
            "type": "string",
            "description": "The breaker's name, where it would be forced open again.",
        },
        **COMMON,
    },
    ("reason",),
    {"reason": "It was the wrong node"},
)


@router.get("/audit", auth=viewer, response=EntryList, summary="Read the audit trail")
def list_entries(request: HttpRequest, filters: Query[EntryFilter]) -> dict[str, Any]:
    """Who did what, when, why, and from what to what; the newest first, paged by `before`."""
    found = trail.search(
        Sought(
            who=filters.who,
            kind=filters.kind,
            target=filters.target,
            action=filters.action,
            text=filters.q,
            since=_in_utc(filters.since),
            until=_in_utc(filters.until),
        )
    )
    if filters.before:
        found = found.filter(id__lt=filters.before)
    page = list(found[: filters.limit + 1])
    shown = page[: filters.limit]
    following = shown[-1].pk if len(page) > len(shown) else None
    return {"entries": shown, "next": following, "chain": _chain()}


def _in_utc(moment: datetime | None) -> datetime | None:
    return moment.replace(tzinfo=UTC) if moment and moment.tzinfo is None else moment


def _chain() -> dict[str, Any]:
    check = AuditCheck.objects.filter(pk=1, checked_at__isnull=False).first()
    return {
        "checked_at": check and check.checked_at,
        "whole": check and not check.fault,
        "position": check and check.position,
        "fault": check.fault if check else "",
        "fault_position": check and check.fault_position,
        "said": check.said if check else "",
    }


@router.post(
    "/audit/{int:entry_id}/revert",
    auth=reverter,
    response=Reverted,
    openapi_extra=_BODY,
    summary="Take an act back",
)
def revert(request: HttpRequest, entry_id: int) -> dict[str, Any]:
    """What was wanted before the act is wanted again, but for what has ended since. 409 where the
    target was changed again, or where the act was done once and stands for nothing.
    """
    entry = AuditEntry.objects.filter(pk=entry_id).first() if entry_id < 2**63 else None
    if entry is None:
        raise Http404(f"There is no audit entry {entry_id}: /api/v1/audit lists them.")
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    needs_scope(caller, scope_to_revert(entry))
    asked = Asked(request, "reason", "confirm", "revision")
    order = controls.revert(
        Actor.by_api(caller),
        entry,
        reason=asked.text("reason", ""),
        confirm=asked.text("confirm", ""),
        based_on=asked.revision(),
    )
    fleet = fleetview.look()
    return {
        "audit_id": audit_id_of(order.revision),
        "kind": order.kind,
        "target": entry.target,
        "desired": desired_of(order),
        "acknowledged": fleet.acknowledged(order.revision),
        "workers": fleet.heard,
    }


def scope_to_revert(entry: AuditEntry) -> Scope:
    """What the act itself would take, done the other way round."""
    if entry.kind in {ControlKind.FLAGS, edits.KIND}:
        return Scope.FLAGS
    if entry.kind == ControlKind.NODES and node_reverts.role_for(entry) is Role.ADMIN:
        return Scope.ADMIN
    return Scope.CONTROL
