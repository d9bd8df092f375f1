"""Which nodes there are, in their order: those of NODE_URLS, and those that operators added."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from console.controls.errors import UnknownNode
from validation.models import Node
from validation.rpc import NodeUrl


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A node that runs may ask, at its place among them: 1 is preferred to all. Holds no URL."""

    label: str
    place: int
    is_from_environment: bool
    cordoned_at: datetime | None = None
    cordoned_by: str = ""
    cordon_reason: str = ""
    added_by: str = ""
    added_at: datetime | None = None

    @property
    def in_service(self) -> bool:
        return self.cordoned_at is None

    def as_json(self) -> dict[str, Any]:
        """As an audit entry tells it."""
        if self.cordoned_at is None:
            return {"state": "in_service"}
        return {
            "state": "cordoned",
            "at": self.cordoned_at.isoformat(),
            "by": self.cordoned_by,
            "reason": self.cordon_reason,
        }


def places() -> list[Place]:
    """In their order. A row of a node that NODE_URLS names no more waits for it to come back."""
    named = {node.label for node in settings.NODES}
    return [
        Place(
            label=row.label,
            place=place,
            is_from_environment=row.label in named,
            cordoned_at=row.cordoned_at,
            cordoned_by=row.cordoned_by,
            cordon_reason=row.cordon_reason,
            added_by=row.added_by,
            added_at=None if row.label in named else row.added_at,
        )
        for place, row in enumerate(_rows(), 1)
    ]


def place_of(label: str) -> Place:
    """Raises UnknownNode, which names those that there are."""
    found = places()
    for place in found:
        if place.label == label:
            return place
    known = ", ".join(place.label for place in found) or "none: add one, or set NODE_URLS"
    raise UnknownNode(f"There is no node {label[:160]!r}: there are {known}.")


def in_service() -> list[str]:
    return [place.label for place in places() if place.in_service]


def url_of(label: str) -> NodeUrl:
    """The URL with what may be a key in it: for asking the node, never for showing."""
    for node in settings.NODES:
        if node.label == label:
            found: NodeUrl = node
            return found
    place_of(label)
    return NodeUrl.parse(Node.objects.get(label=label).url)


def write_missing() -> None:
    """Rows for those of NODE_URLS that have none yet. Caller holds the lock of the revision."""
    known = set(Node.objects.values_list("label", flat=True))
    missing = [row for row in _of_environment() if row.label not in known]
    # A worker that starts writes them at any moment, and holds no lock of ours.
    Node.objects.bulk_create(missing, ignore_conflicts=True)


def put_in_order(labels: Sequence[str]) -> None:
    """Caller holds the lock of the revision. Rows that are no node now keep what is left."""
    for position, label in enumerate(labels):
        Node.objects.filter(label=label).exclude(position=position).update(position=position)


def _rows() -> list[Node]:
    named = {node.label for node in settings.NODES}
    rows = [row for row in Node.objects.all() if row.url or row.label in named]
    known = {row.label for row in rows}
    rows += [row for row in _of_environment() if row.label not in known]
    return sorted(rows, key=lambda row: (row.position, row.pk or 0))


def _of_environment() -> list[Node]:
    return [Node(label=node.label, position=n) for n, node in enumerate(settings.NODES)]
