"""Acts on who may do what: API tokens and accounts, each with its entry in the audit trail.

None is taken back: a token that was revoked stays so, and a role is given anew. No entry holds a
part of a secret.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.auth.models import Group, User
from django.db import transaction

from console.access.audit import Actor, record
from console.access.models import ApiToken
from console.access.roles import Role, role_of
from console.access.scopes import Scope
from console.access.tokens import create_token, revoke_token

TOKEN: Final = "token"  # noqa: S105 - a kind of audit entries, no secret
USER: Final = "user"


class IsSuperuser(ValueError):
    """Django lets it do everything, whatever role it is given here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What became of an account. `before` None: it had no role, or its account is closed."""

    user: User
    is_new: bool
    before: Role | None


def make_token(
    actor: Actor,
    owner: User,
    name: str,
    role: Role | str,
    *,
    expires: datetime | None = None,
    scopes: Iterable[Scope | str] | None = None,
    reason: str,
) -> tuple[ApiToken, str]:
    """As `create_token`, which raises TokenRefused; told in the trail."""
    with transaction.atomic():
        token, secret = create_token(owner, name, role, expires, scopes)
        record(
            actor,
            "create",
            kind=TOKEN,
            target=token.name,
            before={},
            after=_token(token),
            reason=reason,
        )
    return token, secret


def withdraw_token(actor: Actor, token: ApiToken, *, reason: str) -> bool:
    """Whether it was active until now; told in the trail where it was."""
    with transaction.atomic():
        before = _token(token)
        if not revoke_token(token):
            return False
        record(
            actor,
            "revoke",
            kind=TOKEN,
            target=token.name,
            before=before,
            after=_token(token),
            reason=reason,
        )
    return True


def give_role(actor: Actor, name: str, role: Role, password: str, *, reason: str) -> Given:
    """One role only, for the highest group would count. Who has no account gets one, with
    `password`; who has one keeps the own. Told in the trail unless nothing changed. Raises
    IsSuperuser.
    """
    # As `create_user` would write it: or one name could look like two accounts.
    name = User.normalize_username(name)
    with transaction.atomic():
        user = User.objects.select_for_update().filter(username=name).first()
        if user and user.is_superuser:
            raise IsSuperuser(name)
        is_new = user is None
        before = _account(user) if user else {}
        had = role_of(user) if user else None
        user = user or User.objects.create_user(name, password=password)
        user.groups.remove(*Group.objects.filter(name__in=list(Role)))
        user.groups.add(Group.objects.get(name=role))
        if (after := _account(user)) != before:
            action = "create" if is_new else "role"
            record(actor, action, kind=USER, target=name, before=before, after=after, reason=reason)
    return Given(user=user, is_new=is_new, before=had)


def _token(token: ApiToken) -> dict[str, Any]:
    """By its number: two may have one name."""
    return {
        "id": token.pk,
        "state": token.state,
        "acts_for": token.user.get_username(),
        "role": str(token.role),
        "scopes": [str(scope) for scope in token.granted],
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
    }


def _account(user: User) -> dict[str, Any]:
    names = set(user.groups.values_list("name", flat=True))
    return {
        "roles": [str(role) for role in Role if role in names],
        "active": user.is_active,
    }
