"""The operator's hand: what is wanted of breakers, caches and nodes, each with a reason.

Enters: an actor with a role, and a wish. Leaves: one row of `validation.models.Control` with its
revision and one `AuditEntry`, both or neither; every process obeys by `validation.controls`.
Depends on `console.access` and the models; pages, API and commands depend on it.
"""

from console.access.audit import Actor
from console.controls.acts import (
    override_breaker,
    purge,
    release_breaker,
    reset_breaker,
    resize_l1,
    tune_breaker,
)
from console.controls.errors import (
    Busy,
    Conflict,
    ControlError,
    NotReversible,
    Refused,
    RoleTooLow,
    UnknownBreaker,
    UnknownFlag,
    UnknownNode,
)
from console.controls.node_table import Place, in_service, place_of, places, url_of
from console.controls.nodes import (
    MOST_NODES,
    add_node,
    cordon_node,
    move_node,
    order_nodes,
    remove_node,
    uncordon_node,
    url_label,
    url_to_add,
    without_key,
)
from console.controls.orders import Order, desired, orders
from console.controls.reverting import is_reversible, revert, why_never
from console.controls.testing import test_node, test_url

__all__ = [
    "MOST_NODES",
    "Actor",
    "Busy",
    "Conflict",
    "ControlError",
    "NotReversible",
    "Order",
    "Place",
    "Refused",
    "RoleTooLow",
    "UnknownBreaker",
    "UnknownFlag",
    "UnknownNode",
    "add_node",
    "cordon_node",
    "desired",
    "in_service",
    "is_reversible",
    "move_node",
    "order_nodes",
    "orders",
    "override_breaker",
    "place_of",
    "places",
    "purge",
    "release_breaker",
    "remove_node",
    "reset_breaker",
    "resize_l1",
    "revert",
    "test_node",
    "test_url",
    "tune_breaker",
    "uncordon_node",
    "url_label",
    "url_of",
    "url_to_add",
    "why_never",
    "without_key",
]
