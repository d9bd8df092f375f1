"""Taking an act back: what was wanted before it is wanted again, as an act of its own."""

from datetime import datetime
from typing import Protocol

from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls import bounds, node_reverts
from console.controls.change import Act, change
from console.controls.errors import Conflict, NotReversible
from console.controls.layers import Layers
from console.controls.orders import Order, desired
from validation.models import ControlKind

# Those that change what is wanted; a reset or a purge is done.
REVERSIBLE = frozenset({*bounds.MODES, "auto", "tune", "resize", "revert"})
# What ends by an act of its own, and which.
_INSTEAD = {
    "plan": "A plan is cancelled on the page of its flag.",
    "cancel_plan": "A plan that was cancelled is made anew on the page of its flag.",
    "freeze": "A freeze is ended on the page Flags, or of its flag; it also ends by itself.",
    "silence": "A silence is ended on the page Alerts; it also ends by itself.",
    "maintenance": "Maintenance is ended on the page Alerts; it also ends by itself.",
    "thaw": "A freeze that was ended is begun anew on the page Flags, or of its flag.",
}


class Reverter(Protocol):
    """Takes back acts of a kind that another package keeps, such as `console.flags.reverting`."""

    def is_reversible(self, entry: AuditEntry, /) -> bool: ...

    def stands(self, entry: AuditEntry, /) -> bool:
        """Whether nothing followed it."""

    def current(self, entry: AuditEntry, /) -> Order:
        """What is wanted of its target now."""

    def revert(self, act: Act, entry: AuditEntry, /) -> Order:
        """Raises Conflict where it stands no more."""


_reverters: dict[str, Reverter] = {}


def register(kind: str, reverter: Reverter) -> None:
    """At start, by the package that keeps what the kind is of: this one imports none of them."""
    _reverters[kind] = reverter


def stands(entry: AuditEntry) -> bool:
    """Whether nothing followed it; for kinds that a registered reverter knows."""
    return _reverters[entry.kind].stands(entry)


def is_reversible(entry: AuditEntry) -> bool:
    """Whether `revert` could take it back, as long as nothing followed it."""
    if entry.kind == ControlKind.NODES:
        return entry.action in node_reverts.ACTIONS
    if entry.kind in _reverters:
        return _reverters[entry.kind].is_reversible(entry)
    kinds = {ControlKind.BREAKER.value, ControlKind.L1.value}
    return entry.kind in kinds and entry.action in REVERSIBLE


def why_never(entry: AuditEntry) -> str:
    """Why an act that is not reversible is not, and what to do where something can be done."""
    done = f"{entry.action.capitalize().replace('_', ' ')} is done once: nothing to take back."
    return _INSTEAD.get(entry.action, done)


def _current(entry: AuditEntry) -> Order:
    if entry.kind in _reverters:
        return _reverters[entry.kind].current(entry)
    return desired(entry.kind, "" if entry.kind == ControlKind.NODES else entry.target)


def revert(
    actor: Actor,
    entry: AuditEntry,
    *,
    reason: str,
    confirm: str = "",
    based_on: int | None = None,
) -> Order:
    """Raises Conflict where the target was changed again since: that is to be taken back first.

    What had an end and is past it stays ended. Where a breaker would be forced open again, or the
    last node leave service, `confirm` holds its name; where lasting settings change, or which nodes
    there are, only an admin may. `based_on` is the revision that the person saw, if they say.
    """
    bounds.needs(actor, Role.OPERATOR, "Taking back a change")
    if not is_reversible(entry):
        raise NotReversible(why_never(entry))
    of_nodes = entry.kind == ControlKind.NODES
    if based_on not in {None, entry.revision}:
        text = f"That act made revision {entry.revision}, and you saw {based_on}: look again."
        raise Conflict(text, _current(entry))
    act = Act(
        actor=actor,
        action="revert",
        reason=bounds.reason_of(reason),
        # The revision of nodes is of all of them: what counts is what became of this one.
        based_on=None if of_nodes else entry.revision,
        reverts=entry,
    )
    if entry.kind in _reverters:
        return _reverters[entry.kind].revert(act, entry)
    if of_nodes:
        return node_reverts.revert_node(act, actor, entry, confirm)

    def restored(layers: Layers, now: datetime) -> Layers:
        before = Layers.from_json(entry.before, now)
        if before.lasting != layers.lasting:
            bounds.needs(actor, Role.ADMIN, "Taking back lasting settings")
        if before.mode == "forced_open":
            bounds.confirmed(entry.target, confirm)
        return before

    return change(act, entry.kind, entry.target, restored)
