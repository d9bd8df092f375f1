"""How the API tells what operators want, for breakers and caches alike."""

from datetime import datetime
from typing import Any

from ninja import Schema

from console.access.models import AuditEntry
from console.api.problems import Problem
from console.controls import Order
from console.fleetview import Fleet, look


class Desired(Schema):
    """What is wanted now; `mode` "auto" leaves a breaker to itself. Revision 0: never changed."""

    mode: str
    expires_at: datetime | None
    settings: dict[str, float]
    tuned_until: datetime | None
    lasting: dict[str, float]
    revision: int
    reason: str
    actor: str
    changed_at: datetime | None


def desired_of(order: Order) -> dict[str, Any]:
    fields = {name: getattr(order, name) for name in Desired.model_fields}
    return fields | {"mode": order.mode or "auto"}


def audit_id_of(revision: int) -> int | None:
    """The entry of the act that made `revision`: what `/audit/<id>/revert` takes back."""
    return AuditEntry.objects.filter(revision=revision).values_list("id", flat=True).first()


def newest_audit_id(kind: str, target: str) -> int | None:
    """The entry of the last act on `target`."""
    of_it = AuditEntry.objects.filter(kind=kind, target=target).order_by("-id")
    return of_it.values_list("id", flat=True).first()


def heard_fleet() -> Fleet:
    """503 where nobody can be asked: what is wanted holds all the same."""
    fleet = look()
    if not fleet.reachable:
        raise Problem(
            503,
            "No worker reports: the cache server does not answer. What is wanted is kept and "
            "obeyed; /breakers/ shows it.",
        )
    return fleet
