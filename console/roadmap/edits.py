"""What operators write of an optimisation: who has it, until when, how urgent it is, and a note."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, get_args

from django.db import transaction

from console.access import audit
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.access.roles import Role
from console.controls.bounds import needs, reason_of
from console.controls.change import Act, next_revision
from console.controls.errors import Conflict, ControlError, Refused
from console.controls.orders import Order
from console.roadmap.models import Edit, Optimisation
from console.roadmap.rows import Priority
from console.roadmap.status import State
from monitoring import events

KIND: Final = "roadmap"
FIELDS: Final = ("owner", "note", "priority", "due", "status")
PRIORITIES: Final[tuple[str, ...]] = get_args(Priority.__value__)
_LONGEST_OWNER = 160
_LONGEST_NOTE = 4000


class UnknownOptimisation(ControlError):
    pass


def edit(
    actor: Actor,
    key: str,
    wanted: Mapping[str, Any],
    *,
    reason: str,
    based_on: int | None = None,
) -> Edit:
    """`wanted`: those of FIELDS that are to change; empty takes back what was written. A status in
    the place of the derived one is an admin's to say. Raises ControlError.
    """
    needs(actor, Role.OPERATOR, "Writing of an optimisation")
    act = Act(actor=actor, action="edit", reason=reason_of(reason), based_on=based_on)
    return write(act, key, _cleaned(wanted))


def write(act: Act, key: str, wanted: Mapping[str, Any]) -> Edit:
    """With its entry in the trail, or nothing. `wanted` is clean."""
    with transaction.atomic():
        revision, now = next_revision()
        row = _locked(key)
        if conflict := Conflict.between(act.based_on, order_of(row)):
            raise conflict
        before = told(row)
        if wanted.get("status", row.status) != row.status:
            needs(act.actor, Role.ADMIN, "Setting a status by hand")
            row.status_reason = act.reason if wanted["status"] else ""
        for name, value in wanted.items():
            setattr(row, name, value)
        if told(row) == before:
            raise Refused("edit", key, "a change: all of it is so already")
        row.revision, row.changed_at = revision, now
        row.reason, row.actor = act.reason, act.actor.name
        row.save()
        _record(act, row, before)
    return row


def told(row: Edit) -> dict[str, Any]:
    """As an audit entry keeps it."""
    due = row.due.isoformat() if row.due else ""
    return {name: due if name == "due" else getattr(row, name) for name in FIELDS}


def in_words(told: Mapping[str, Any]) -> str:
    """`owner Ada; due 2030-01-31`, of what an audit entry keeps."""
    return "; ".join(f"{name} {told[name]}" for name in FIELDS if told.get(name)) or "nothing"


def restored(entry: AuditEntry) -> dict[str, Any]:
    """What was written before the act."""
    return _cleaned({name: entry.before.get(name, "") for name in FIELDS})


def order_of(row: Edit) -> Order:
    return Order(
        kind=KIND,
        name=row.pk,
        revision=row.revision,
        reason=row.reason,
        actor=row.actor,
        changed_at=row.changed_at if isinstance(row.changed_at, datetime) else None,
    )


def _locked(key: str) -> Edit:
    """The revision's row is locked: nobody else writes meanwhile."""
    if not Optimisation.objects.filter(pk=key).exists():
        raise UnknownOptimisation(
            f"There is no optimisation {key[:40]!r}: `manage.py roadmap show` lists them."
        )
    return Edit.objects.filter(pk=key).first() or Edit(optimisation_id=key)


def _record(act: Act, row: Edit, before: Mapping[str, Any]) -> None:
    audit.record(
        act.actor,
        act.action,
        kind=KIND,
        target=row.pk,
        before=before,
        after=told(row),
        reason=act.reason,
        revision=row.revision,
        reverts=act.reverts,
    )
    transaction.on_commit(lambda: events.publish("roadmap", f"optimisation:{row.pk}"))


def _cleaned(wanted: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: _clean(name, value) for name, value in wanted.items()}
    if not found:
        raise Refused("edit", "", f"one of {', '.join(FIELDS)}")
    return found


def _clean(name: str, value: Any) -> Any:
    match name:
        case "owner":
            return _text(name, " ".join(str(value or "").split()), _LONGEST_OWNER)
        case "note":
            return _text(name, str(value or "").strip(), _LONGEST_NOTE)
        case "priority":
            return _one_of(name, value, PRIORITIES)
        case "status":
            return _one_of(name, value, tuple(map(str, State)))
        case "due":
            return _day(value)
    raise Refused("edit", name, f"one of {', '.join(FIELDS)}")


def _text(name: str, text: str, longest: int) -> str:
    if len(text) > longest or "\0" in text:
        raise Refused(name, text, f"text of at most {longest} characters")
    return text


def _one_of(name: str, value: Any, names: tuple[str, ...]) -> str:
    if value is None or value == "":
        return ""
    if value not in names:
        raise Refused(name, value, f"one of {', '.join(names)}, or empty")
    return str(value)


def _day(value: Any) -> date | None:
    if value is None or value == "":
        return None
    try:
        return date.fromisoformat(str(value))
    except ValueError as exc:
        raise Refused("due", value, "a day as 2030-01-31, or empty") from exc
