"""One change of what is wanted: its row, its revision and its audit entry, in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from console.access import audit
from console.access.audit import Actor
from console.access.models import AuditEntry
from console.controls import names
from console.controls.errors import Conflict
from console.controls.layers import Layers
from console.controls.orders import Order, order_of
from monitoring import events
from validation.controls import PURGES_MATTER_S
from validation.models import Control, ControlKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """Who does what, and why. `based_on`: the revision they saw; None: whatever there is."""

    actor: Actor
    action: str
    reason: str
    based_on: int | None = None
    reverts: AuditEntry | None = None


type Alter = Callable[[Layers, datetime], Layers]


def change(act: Act, kind: str, name: str, alter: Alter, *, reset: bool = False) -> Order:
    """Writes what `alter` makes of what is wanted now; what it raises is raised, nothing written.

    Changes wait for each other, so that revisions become visible in their order. Processes are
    nudged once it is committed; those that do not hear read it by themselves.
    """
    with transaction.atomic():
        revision, now = next_revision()
        row = Control.objects.filter(kind=kind, name=name).first()
        row = row or Control(kind=kind, name=name, revision=0)
        if conflict := Conflict.between(act.based_on, order_of(row, now)):
            raise conflict
        before = Layers.of(row, now)
        after = alter(before, now)
        row.mode, row.expires_at = after.mode, after.expires_at
        row.settings, row.tuned_until = dict(after.settings), after.tuned_until
        row.lasting = dict(after.lasting)
        row.revision = revision
        if reset:
            row.reset_revision = revision
        row.reason, row.actor, row.changed_at = act.reason, act.actor.name, now
        row.save()
        _record(act, row, before.as_json(), after.as_json())
    return order_of(row, now)


def add(act: Act, kind: str, name: str) -> int:
    """Writes a wish that is done once; returns its revision. Those that matter no more go."""
    with transaction.atomic():
        revision, now = next_revision()
        past = now - timedelta(seconds=PURGES_MATTER_S)
        Control.objects.filter(kind=ControlKind.PURGE, changed_at__lt=past).delete()
        row = Control.objects.create(
            kind=kind,
            name=name,
            revision=revision,
            reason=act.reason,
            actor=act.actor.name,
            changed_at=now,
        )
        _record(act, row, {}, {})
    return revision


def change_nodes(
    act: Act, target: str, write: Callable[[datetime], tuple[dict[str, Any], dict[str, Any]]]
) -> Order:
    """What `write` does to the table of nodes, with its revision; it returns what was and what is,
    without a URL. `target` is a label, or "" for the order of all.
    """
    with transaction.atomic():
        revision, now = next_revision()
        row = Control.objects.filter(kind=ControlKind.NODES, name="").first()
        row = row or Control(kind=ControlKind.NODES, name="", revision=0)
        if conflict := Conflict.between(act.based_on, order_of(row, now)):
            raise conflict
        before, after = write(now)
        row.revision, row.changed_at = revision, now
        row.reason, row.actor = act.reason, act.actor.name
        row.save()
        _record(act, row, before, after, target=target)
    return order_of(row, now)


def change_flags(
    act: Act, key: str, write: Callable[[int, datetime], tuple[dict[str, Any], dict[str, Any]]]
) -> Order:
    """As `change_nodes`, of the flags. `write` gets the revision, which the flag is to carry, and
    judges itself whether what was seen of it is so: `key` "" is all of them.
    """
    order = change_many_flags(act, lambda revision, now: {key: write(revision, now)})
    return replace(order, name=key)


def change_many_flags(
    act: Act, write: Callable[[int, datetime], Mapping[str, tuple[dict[str, Any], dict[str, Any]]]]
) -> Order:
    """What `write` does to flags under one revision; it returns what was and what is of each."""
    with transaction.atomic():
        revision, now = next_revision()
        row = Control.objects.filter(kind=ControlKind.FLAGS, name="").first()
        row = row or Control(kind=ControlKind.FLAGS, name="", revision=0)
        changed = write(revision, now)
        row.revision, row.changed_at = revision, now
        row.reason, row.actor = act.reason, act.actor.name
        row.save()
        for key, (before, after) in changed.items():
            _record(act, row, before, after, target=key)
    return order_of(row, now)


def hold_revision() -> None:
    """Locks the revision's row until the commit, without counting up. For who writes rows that
    others write under that lock: taken before those rows, or two would wait for each other.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN)
        cursor.execute("SELECT value FROM validation_controlrevision WHERE id = 1 FOR UPDATE")


def next_revision() -> tuple[int, datetime]:
    """The next revision and the database's time. Its row stays locked until the commit."""
    with connection.cursor() as cursor:
        cursor.execute(_NEXT)
        revision, now = cursor.fetchone()
    return revision, now


def _record(
    act: Act,
    row: Control,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    *,
    target: str | None = None,
) -> None:
    target = row.name if target is None else target
    audit.record(
        act.actor,
        act.action,
        kind=row.kind,
        target=target,
        before=before,
        after=after,
        reason=act.reason,
        revision=row.revision,
        reverts=act.reverts,
    )
    topics = _topics(row.kind, target)
    transaction.on_commit(lambda: events.publish("controls", "overview", *topics))


def _topics(kind: str, target: str) -> tuple[str, ...]:
    """Of the pages that show it."""
    if kind == ControlKind.BREAKER:
        return ("breakers", f"breaker:{target}")
    if kind == ControlKind.NODES:
        return ("nodes", f"node:{names.in_address(target)}")
    if kind == ControlKind.FLAGS:
        return ("flags", f"flag:{target}")
    return ("caches",)


_BEGIN = "INSERT INTO validation_controlrevision (id, value) VALUES (1, 0) ON CONFLICT DO NOTHING"
_NEXT = """
INSERT INTO validation_controlrevision (id, value) VALUES (1, 1)
ON CONFLICT (id) DO UPDATE SET value = validation_controlrevision.value + 1
RETURNING value, clock_timestamp()
"""
