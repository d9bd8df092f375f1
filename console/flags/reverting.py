"""Taking back what was done to a flag: it stands, or is defined, as before."""

from copy import copy
from datetime import datetime
from typing import Any

from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls.bounds import needs
from console.controls.change import Act, change_flags
from console.controls.errors import Conflict
from console.controls.orders import Order
from console.flags import definition_acts, definition_fields, guards
from console.flags.changing import Change, locked, order_of, restage, rewritten
from console.flags.models import Flag
from console.flags.standing import Standing
from validation.models import ControlKind

# Those of `definition_acts`, which an admin alone may take back, and those of stages.
_DEFINED = frozenset({"create", "edit", "delete", "import"})
_STAGED = frozenset({"stage", "roll_back", "enable", "disable"})
ACTIONS = _DEFINED | _STAGED | {"revert"}

type _Told = dict[str, Any]


def is_reversible(entry: AuditEntry) -> bool:
    return entry.action in ACTIONS


def stands(entry: AuditEntry) -> bool:
    """Whether the flag is as this act left it, and nobody changed it since."""
    flag = Flag.objects.filter(pk=entry.target).first()
    if flag is None:
        newest = AuditEntry.objects.filter(kind=ControlKind.FLAGS, target=entry.target).first()
        return not entry.after and newest == entry
    return flag.revision == entry.revision


def current(entry: AuditEntry) -> Order:
    """How the flag stands now; of one that is gone, without a revision."""
    flag = Flag.objects.filter(pk=entry.target).first()
    return order_of(flag) if flag else Order(kind=ControlKind.FLAGS, name=entry.target)


def revert(act: Act, entry: AuditEntry) -> Order:
    """Raises Conflict where it stands no more; what else may be raised is as of any change."""
    if _is_of_stage(entry):
        return _restage(act, entry)
    needs(act.actor, Role.ADMIN, "Taking back what a flag is")

    def write(revision: int, now: datetime) -> tuple[_Told, _Told]:
        if not stands(entry):
            text = f"{entry.target} was changed again since: look again, then decide."
            raise Conflict(text, current(entry))
        return _restore(act, entry, revision, now)

    return change_flags(act, entry.target, write)


def _is_of_stage(entry: AuditEntry) -> bool:
    return bool(entry.before and entry.after) and "variants" not in entry.before


def _restage(act: Act, entry: AuditEntry) -> Order:
    before = Standing.from_json(entry.before)
    if before.enabled != entry.after["enabled"]:
        needs(act.actor, Role.ADMIN, "Switching a flag on or off")
    act = Act(
        actor=act.actor,
        action=act.action,
        reason=act.reason,
        based_on=entry.revision,
        reverts=entry,
    )
    return order_of(restage(Change(act=act, key=entry.target), lambda _flag, _now: before))


def _restore(act: Act, entry: AuditEntry, revision: int, now: datetime) -> tuple[_Told, _Told]:
    """By the guards of any definition: what may not come to be so now does not come back either."""
    around = guards.Around.look(now)
    there = around.flags.get(entry.target)
    if not entry.before:
        flag = locked(entry.target, None)
        definition_acts.refuse_required(flag, around.flags.values())
        guards.judge_definition(flag, None, around)
        before = definition_acts.told(flag)
        flag.delete()
        return before, {}
    before = definition_acts.told(there) if there else {}
    flag = copy(there) if there else Flag(key=entry.target)
    for name, value in entry.before.items():
        setattr(flag, name, value)
    definition_fields.settle(flag, around.flags)
    guards.judge_definition(there, flag, around)
    if there is None:
        flag.staged_at = now
    stood = Standing.of(there or flag)
    rewritten(flag, Change(act=act, key=flag.key), revision, now, stood=stood)
    return before, definition_acts.told(flag)
