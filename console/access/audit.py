"""The trail: who did what, when, why, and from what to what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from django.contrib.auth.models import User

from console.access.models import AuditEntry
from console.access.roles import Role, role_of
from console.access.tokens import Caller

_LONGEST_NAME = 160  # the column's length


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts, what that person may do now, and by which way they came."""

    name: str
    role: Role
    # "page", "api" or "cli".
    origin: str
    token: str = ""

    @classmethod
    def on_page(cls, user: User) -> Self:
        return cls(name=user.get_username(), role=role_of(user) or Role.VIEWER, origin="page")

    @classmethod
    def by_api(cls, caller: Caller) -> Self:
        token = caller.token.name if caller.token else ""
        name = caller.user.get_username()
        return cls(name=name, role=caller.role, origin="api", token=token)

    @classmethod
    def at_terminal(cls, name: str) -> Self:
        """Who can start a command has the database in hand already: an admin."""
        return cls(name=name[:_LONGEST_NAME], role=Role.ADMIN, origin="cli")


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
    """Called in the transaction of the change: both are there, or neither."""
    return AuditEntry.objects.create(
        actor=actor.name,
        role=actor.role,
        origin=actor.origin,
        token=actor.token,
        action=action,
        kind=kind,
        target=target,
        before=dict(before),
        after=dict(after),
        reason=reason,
        revision=revision,
        reverts=reverts,
    )
