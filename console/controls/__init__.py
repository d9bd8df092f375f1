"""The operator's hand: what is wanted of breakers and caches, with a reason and an audit row.

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
    Conflict,
    ControlError,
    NotReversible,
    Refused,
    RoleTooLow,
    UnknownBreaker,
)
from console.controls.orders import Order, desired, orders
from console.controls.reverting import is_reversible, revert

__all__ = [
    "Actor",
    "Conflict",
    "ControlError",
    "NotReversible",
    "Order",
    "Refused",
    "RoleTooLow",
    "UnknownBreaker",
    "desired",
    "is_reversible",
    "orders",
    "override_breaker",
    "purge",
    "release_breaker",
    "reset_breaker",
    "resize_l1",
    "revert",
    "tune_breaker",
]
