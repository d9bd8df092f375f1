"""Asks a node from this process, now: one that is there, or one before it is added."""

from django.conf import settings

from console.access.audit import Actor
from console.access.roles import Role
from console.controls import bounds
from console.controls.node_table import url_of
from console.controls.nodes import url_to_add
from console.controls.turns import turn
from validation import nodecheck, wiring
from validation.nodecheck import NodeTest
from validation.rpc import NodeUrl


def test_node(actor: Actor, label: str) -> NodeTest:
    """Raises UnknownNode, and Busy while others ask. Nothing is changed, so nothing is audited."""
    bounds.needs(actor, Role.OPERATOR, "Testing a node")
    return _tested(url_of(label))


def test_url(actor: Actor, url: str) -> NodeTest:
    """Only of what could be added, by who could add it: this process is no scanner of networks."""
    bounds.needs(actor, Role.ADMIN, "Testing a URL")
    return _tested(url_to_add(url))


def _tested(node: NodeUrl) -> NodeTest:
    with turn():
        config = wiring.rpc_config((node,), processes=1)
        return nodecheck.examine(node, config=config, checkpoint=settings.CHECKPOINT)
