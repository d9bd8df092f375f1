"""Taking back what was done to a node: cordoned or not, there or not, or the order of all."""

from datetime import datetime
from typing import Any

from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls import bounds, node_table
from console.controls.change import Act, change_nodes
from console.controls.errors import Conflict, NotReversible, UnknownNode
from console.controls.node_table import place_of, places
from console.controls.nodes import delete, insert, set_cordon, set_order
from console.controls.orders import Order, desired
from validation.models import ControlKind, RemovedNode
from validation.node_models import REMOVED_KEPT

ACTIONS = frozenset({"add", "cordon", "uncordon", "remove", "order", "revert"})

type Told = dict[str, Any]


def stands(entry: AuditEntry) -> bool:
    """Whether nobody changed this one since, also not to and fro, and no worker cordoned it:
    others change other nodes meanwhile.
    """
    of_it = AuditEntry.objects.filter(kind=entry.kind, target=entry.target)
    is_newest = not of_it.filter(pk__gt=entry.pk).exists()
    return is_newest and bool(standing(entry.target) == entry.after)


def leaves_none(entry: AuditEntry) -> bool:
    """Whether taking it back takes the last node out of service."""
    goes = not entry.before or entry.before.get("state") == "cordoned"
    return bool(entry.target) and goes and node_table.in_service() == [entry.target]


def role_for(entry: AuditEntry) -> Role:
    """The least role that may take it back: that of who might have done it."""
    is_cordon = entry.before.get("state") and entry.after.get("state")
    return Role.OPERATOR if is_cordon else Role.ADMIN


def revert_node(act: Act, actor: Actor, entry: AuditEntry, confirm: str) -> Order:
    """Raises Conflict where it stands no more."""
    role = role_for(entry)
    what = "a cordon" if role is Role.OPERATOR else "what was added, removed or ordered"
    bounds.needs(actor, role, f"Taking back {what}")

    def restored(now: datetime) -> tuple[Told, Told]:
        if not stands(entry):
            text = "It was changed again since: look again, then decide."
            raise Conflict(text, desired(ControlKind.NODES, ""))
        if leaves_none(entry):
            bounds.confirmed(entry.target, confirm)
        return _restore(entry, actor, now)

    return change_nodes(act, entry.target, restored)


def standing(target: str) -> Told:
    """A node as an audit entry tells it, {} where there is none; of "" the order of all."""
    if not target:
        return {"order": [place.label for place in places()]}
    try:
        return place_of(target).as_json()
    except UnknownNode:
        return {}


def _restore(entry: AuditEntry, actor: Actor, now: datetime) -> tuple[Told, Told]:
    before = entry.before
    if not entry.target:
        return set_order(before["order"])
    if not before:
        return delete(place_of(entry.target), now)
    if entry.after:
        return set_cordon(place_of(entry.target), **_cordon(before))
    kept = RemovedNode.objects.filter(label=entry.target).first()
    if kept is None or kept.removed_at < now - REMOVED_KEPT:
        raise NotReversible(
            f"{entry.target} was removed more than a day ago, and its URL is forgotten: add it."
        )
    insert(kept.label, kept.url, by=actor.name, at=now)
    if before.get("state") == "cordoned":
        return {}, set_cordon(place_of(entry.target), **_cordon(before))[1]
    return {}, place_of(entry.target).as_json()


def _cordon(told: Told) -> dict[str, Any]:
    if told.get("state") != "cordoned":
        return {"at": None}
    at = datetime.fromisoformat(told["at"])
    return {"at": at, "by": told["by"], "why": told["reason"]}
