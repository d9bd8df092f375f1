"""Taking back what was written of an optimisation: what stood before stands again."""

from typing import Final

from console.access.models import AuditEntry
from console.controls.change import Act
from console.controls.errors import Conflict
from console.controls.orders import Order
from console.roadmap import edits
from console.roadmap.models import Edit

KIND: Final = edits.KIND
_ACTIONS: Final = frozenset({"edit", "revert"})


def is_reversible(entry: AuditEntry) -> bool:
    return entry.action in _ACTIONS


def stands(entry: AuditEntry) -> bool:
    """Whether nobody wrote anything of it since."""
    row = Edit.objects.filter(pk=entry.target).first()
    return row is not None and row.revision == entry.revision


def current(entry: AuditEntry) -> Order:
    row = Edit.objects.filter(pk=entry.target).first()
    return edits.order_of(row) if row else Order(kind=KIND, name=entry.target)


def revert(act: Act, entry: AuditEntry) -> Order:
    """Raises Conflict where it stands no more."""
    if not stands(entry):
        text = f"{entry.target} was written of again since: look again, then decide."
        raise Conflict(text, current(entry))
    return edits.order_of(edits.write(act, entry.target, edits.restored(entry)))
