"""Which breakers there are, also while nobody reports, and how a node is named in an address."""

from django.conf import settings

from validation.models import Node
from validation.rpc.classes import CLASSES

L2 = "l2"


def configured() -> set[str]:
    """Those of the nodes that are configured or were added, and L2's."""
    labels = {node.label for node in settings.NODES}
    labels.update(Node.objects.exclude(url="").values_list("label", flat=True))
    return {L2} | {name for label in labels for name in of_node(label)}


def of_node(label: str) -> list[str]:
    """The breakers that stand before a node."""
    return [f"node:{in_address(label)}:{kind}" for kind in CLASSES]


def in_address(label: str) -> str:
    """A node's label where '#' would end the path: as in the names of its breakers."""
    return label.replace("#", "~")


def from_address(name: str) -> str:
    return name.replace("~", "#")
