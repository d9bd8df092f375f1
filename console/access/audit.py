"""The trail: who did what, when, why, and from what to what."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.contrib.auth.models import User
from django.db import transaction

from console.access import origin
from console.access.models import AuditEntry
from console.access.roles import Role, role_of
from console.access.tokens import Caller
from monitoring import events

# What the page of the trail follows.
TOPIC = "audit"
_LONGEST_NAME = 160  # the column's length


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, what that person may do now, by which way they came, and from where."""

    name: str
    role: Role
    # "page", "api" or "cli".
    origin: str
    token: str = ""
    # A network address, or user@host.
    source: str = ""
    trace_id: str = ""

    @classmethod
    def on_page(cls, user: User) -> Self:
        role, came = role_of(user) or Role.VIEWER, origin.current()
        return cls(
            name=user.get_username(),
            role=role,
            origin="page",
            source=came.source,
            trace_id=came.trace_id,
        )

    @classmethod
    def by_api(cls, caller: Caller) -> Self:
        token = caller.token.name if caller.token else ""
        came = origin.current()
        return cls(
            name=caller.user.get_username(),
            role=caller.role,
            origin="api",
            token=token,
            source=came.source,
            trace_id=came.trace_id,
        )

    @classmethod
    def at_terminal(cls, name: str) -> Self:
        """Who can start a command has the database in hand already: an admin. `name`: user@host.
        A script that is part of a trace names it by TRACEPARENT.
        """
        name = name[:_LONGEST_NAME]
        trace_id = origin.trace_id_of(os.environ.get("TRACEPARENT", ""))
        return cls(name=name, role=Role.ADMIN, origin="cli", source=name, trace_id=trace_id)


def record(
    actor: Actor,
    action: str,
    *,
    kind: str,
    target: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    reason: str,
    revision: int | None = None,
    reverts: AuditEntry | None = None,
) -> AuditEntry:
    """Called in the transaction of the change: both are there, or neither. Until its commit other
    acts wait, so that the trail has no gap.
    """
    transaction.on_commit(lambda: events.publish(TOPIC))
    return AuditEntry.objects.create(
        actor=actor.name,
        role=actor.role,
        origin=actor.origin,
        token=actor.token,
        source=actor.source,
        trace_id=actor.trace_id,
        action=action,
        kind=kind,
        target=target,
        before=dict(before),
        after=dict(after),
        reason=reason,
        revision=revision,
        reverts=reverts,
    )
