"""What an operator does to nodes at run time. Each act is one revision and one audit entry.

A URL may hold a key: it goes into its column and nowhere else. Labels stand for nodes everywhere.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.db.models import F

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import bounds, node_table
from console.controls.change import Act, change_nodes
from console.controls.errors import Refused
from console.controls.node_table import Place, place_of, places
from console.controls.orders import Order
from console.controls.turns import turn
from validation import wiring
from validation.models import Node, RemovedNode
from validation.node_models import LABEL_LENGTH
from validation.nodecheck import address_refusal
from validation.rpc import NodeUrl

MOST_NODES = 64
_SHOWN_HOST = 100

type _Told = tuple[dict[str, Any], dict[str, Any]]


def add_node(actor: Actor, url: str, *, reason: str, based_on: int | None = None) -> Order:
    """In service at once, and last in the order. What is refused is told without a key. Busy while
    others ask nodes: a name is looked up.
    """
    bounds.needs(actor, Role.ADMIN, "Adding a node")
    act = Act(actor=actor, action="add", reason=bounds.reason_of(reason), based_on=based_on)
    node = url_to_add(url)

    def added(now: datetime) -> _Told:
        standing = places()
        if any(place.label == node.label for place in standing):
            raise Refused("url", node.label, "new here: a node of that name is there already")
        if len(standing) >= MOST_NODES:
            raise Refused("url", node.label, f"within the {MOST_NODES} nodes there may be")
        node_table.write_missing()
        return {}, insert(node.label, node.secret_url, by=actor.name, at=now)

    return change_nodes(act, node.label, added)


def url_to_add(url: str) -> NodeUrl:
    """A URL that a node may have here; Refused says why not, naming field, value and variable. A
    name takes a turn: its look-up may take seconds.
    """
    try:
        node = NodeUrl.parse(url)
    except ValueError as exc:
        said = str(exc).removeprefix("node URL: ")
        raise Refused("url", without_key(url), f"the URL of a node: {said}") from None
    if len(node.label) > LABEL_LENGTH:
        raise Refused(
            "url", without_key(url), f"of at most {LABEL_LENGTH} characters host and port"
        )
    policy = wiring.rpc_config((node,), processes=1).policy
    with nullcontext() if _is_address(node.host) else turn():
        refusal = address_refusal(node, policy)
    if refusal:
        raise Refused("url", node.label, f"a node that may be asked here: {refusal}")
    return node


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def url_label(url: str) -> str:
    """Of a URL that was judged already."""
    return NodeUrl.parse(url).label


def without_key(url: str) -> str:
    """What can be shown of a text that was to be a URL: its host at most."""
    try:
        parts = urlsplit(url.strip())
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port, parts = "", None, urlsplit("")
    if not parts.scheme or not host or len(host) > _SHOWN_HOST or not host.isprintable():
        return f"… ({len(url)} characters)"
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}"


def cordon_node(
    actor: Actor, label: str, *, reason: str, based_on: int | None = None, confirm: str = ""
) -> Order:
    """No call goes to it until it is uncordoned. `confirm` holds the label of the last in service:
    without any, runs wait.
    """
    bounds.needs(actor, Role.OPERATOR, "Cordoning a node")
    why = bounds.reason_of(reason)
    act = Act(actor=actor, action="cordon", reason=why, based_on=based_on)

    def cordoned(now: datetime) -> _Told:
        place = place_of(label)
        if not place.in_service:
            by = place.cordoned_by or "somebody"
            raise Refused("node", label, f"in service: {by} cordoned it already")
        _confirm_last(place, confirm)
        return set_cordon(place, at=now, by=actor.name, why=why)

    return change_nodes(act, label, cordoned)


def uncordon_node(actor: Actor, label: str, *, reason: str, based_on: int | None = None) -> Order:
    bounds.needs(actor, Role.OPERATOR, "Uncordoning a node")
    act = Act(actor=actor, action="uncordon", reason=bounds.reason_of(reason), based_on=based_on)

    def freed(_: datetime) -> _Told:
        place = place_of(label)
        if place.in_service:
            raise Refused("node", label, "cordoned: it is in service")
        return set_cordon(place, at=None)

    return change_nodes(act, label, freed)


def remove_node(
    actor: Actor, label: str, *, reason: str, based_on: int | None = None, confirm: str = ""
) -> Order:
    """Only of those that were added; it can be put back for a day."""
    bounds.needs(actor, Role.ADMIN, "Removing a node")
    act = Act(actor=actor, action="remove", reason=bounds.reason_of(reason), based_on=based_on)

    def removed(now: datetime) -> _Told:
        place = place_of(label)
        if place.is_from_environment:
            raise Refused(
                "node", label, "one that was added: NODE_URLS names it. Cordon it, or take it there"
            )
        _confirm_last(place, confirm)
        return delete(place, now)

    return change_nodes(act, label, removed)


def order_nodes(
    actor: Actor, labels: Sequence[str], *, reason: str, based_on: int | None = None
) -> Order:
    """All of them, best first: between nodes that are equally good the earlier one is asked."""
    bounds.needs(actor, Role.ADMIN, "Ordering the nodes")
    act = Act(actor=actor, action="order", reason=bounds.reason_of(reason), based_on=based_on)
    return change_nodes(act, "", lambda _: set_order(labels))


def move_node(
    actor: Actor, label: str, place: int | None, *, reason: str, based_on: int | None = None
) -> Order:
    """To `place`, of which 1 is the first; the others keep their order."""
    bounds.needs(actor, Role.ADMIN, "Ordering the nodes")
    act = Act(actor=actor, action="order", reason=bounds.reason_of(reason), based_on=based_on)

    def moved(_: datetime) -> _Told:
        place_of(label)
        others = [other.label for other in places() if other.label != label]
        if place is None or isinstance(place, bool) or not 1 <= place <= len(others) + 1:
            raise Refused("place", place, f"a place from 1 to {len(others) + 1}")
        return set_order([*others[: place - 1], label, *others[place - 1 :]])

    return change_nodes(act, "", moved)


def set_order(labels: Sequence[str]) -> _Told:
    """Caller holds the lock of the revision."""
    before = [place.label for place in places()]
    if sorted(labels) != sorted(before):
        raise Refused("labels", ", ".join(labels), f"each of {', '.join(before)}, once")
    if list(labels) == before:
        raise Refused("labels", ", ".join(labels), "another order than there is")
    node_table.write_missing()
    node_table.put_in_order(labels)
    return {"order": before}, {"order": list(labels)}


def _confirm_last(place: Place, confirm: str) -> None:
    if place.in_service and len(node_table.in_service()) == 1:
        bounds.confirmed(place.label, confirm)


def set_cordon(place: Place, *, at: datetime | None, by: str = "", why: str = "") -> _Told:
    node_table.write_missing()
    row = Node.objects.get(label=place.label)
    row.cordoned_at, row.cordoned_by, row.cordon_reason = at, by, why
    row.save(update_fields=("cordoned_at", "cordoned_by", "cordon_reason"))
    return place.as_json(), place_of(place.label).as_json()


def insert(label: str, url: str, *, by: str, at: datetime) -> dict[str, Any]:
    RemovedNode.objects.filter(label=label).delete()
    RemovedNode.objects.forget()
    last = Node.objects.order_by("-position").values_list("position", flat=True).first()
    position = 0 if last is None else last + 1
    Node.objects.update_or_create(
        label=label,
        defaults={"url": url, "position": position, "added_by": by, "added_at": at,
                  "cordoned_at": None, "cordoned_by": "", "cordon_reason": ""},
    )  # fmt: skip
    return place_of(label).as_json()


def delete(place: Place, now: datetime) -> _Told:
    row = Node.objects.get(label=place.label)
    RemovedNode.objects.update_or_create(
        label=row.label, defaults={"url": row.url, "removed_at": now}
    )
    RemovedNode.objects.forget()
    Node.objects.filter(position__gt=row.position).update(position=F("position") - 1)
    row.delete()
    return place.as_json(), {}
