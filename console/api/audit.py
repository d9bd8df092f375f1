"""The audit trail: every act of an operator, and taking one back."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from console import controls, fleetview
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.tokens import Caller
from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.wanted import Desired, audit_id_of, desired_of

router = Router(tags=["Audit"])


class Entry(Schema):
    """One act. `before` and `after` are what was wanted; empty for a purge."""

    id: int
    at: datetime
    actor: str
    role: str
    origin: str
    token: str
    action: str
    kind: str
    target: str
    before: dict[str, Any]
    after: dict[str, Any]
    reason: str
    revision: int | None
    reverts_id: int | None


class EntryList(Schema):
    """Newest first. `next` is the `before` of the following page, null on the last."""

    entries: list[Entry]
    next: int | None


class EntryFilter(Schema):
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
    found = AuditEntry.objects.order_by("-id")
    if filters.before:
        found = found.filter(id__lt=filters.before)
    page = list(found[: filters.limit + 1])
    shown = page[: filters.limit]
    return {"entries": shown, "next": shown[-1].pk if len(page) > len(shown) else None}


@router.post(
    "/audit/{int:entry_id}/revert",
    auth=operator,
    response=Reverted,
    openapi_extra=_BODY,
    summary="Take an act back",
)
def revert(request: HttpRequest, entry_id: int) -> dict[str, Any]:
    """What was wanted before the act is wanted again, but for what has ended since. 409 where the
    target was changed again, or where the act was done once and stands for nothing.
    """
    asked = Asked(request, "reason", "confirm", "revision")
    entry = AuditEntry.objects.filter(pk=entry_id).first() if entry_id < 2**63 else None
    if entry is None:
        raise Http404(f"There is no audit entry {entry_id}: /api/v1/audit lists them.")
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
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
