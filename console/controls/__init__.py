"""The operator's hand: what is wanted of breakers and caches, with a reason and an audit row.

Enters: an actor with a role, and a wish. Leaves: one row of `validation.models.Control` with its
revision and one `AuditEntry`, both or neither; every process obeys by `validation.controls`.
Depends on `console.access` and the models; pages, API and commands depend on it.
"""

from console.controls.orders import Order, desired, orders

__all__ = ["Order", "desired", "orders"]
