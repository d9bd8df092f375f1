"""Which breakers there are, also while nobody reports: those of the configured nodes, and L2's."""

from django.conf import settings

from validation.rpc import NodeUrl

L2 = "l2"
CLASSES = ("lookup", "block")


def configured() -> set[str]:
    return {L2} | {name for node in settings.NODES for name in of_node(node)}


def of_node(node: NodeUrl) -> list[str]:
    """One a class of calls. A name goes into addresses, where "#" would end it."""
    label = node.label.replace("#", "~")
    return [f"node:{label}:{kind}" for kind in CLASSES]
