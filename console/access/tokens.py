"""API tokens: made once, shown once, kept as a hash; each bound to scopes."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from django.contrib.auth.models import User
from django.db.models import Q
from django.utils import timezone

from console.access.models import ApiToken
from console.access.roles import Role, role_of
from console.access.scopes import Scope, in_order, scopes_of

SECRET_PREFIX = "swy_"  # noqa: S105 - what scanners for leaked secrets look for, no secret
MAX_ACTIVE = 50
_SHOWN = 12
_USED_EVERY = timedelta(minutes=1)


class TokenRefused(ValueError):
    """A token that cannot be made; the text says why, `field` what of it."""

    def __init__(self, text: str, *, field: str = "name") -> None:
        self.field = field
        super().__init__(text)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls the API, and what that caller may do now: what the role allows, in the areas of the
    scopes. A browser's session has them all.
    """

    user: User
    role: Role
    token: ApiToken | None = None
    scopes: frozenset[Scope] = frozenset(Scope)

    def may(self, scope: Scope | str) -> bool:
        return scope in self.scopes


def create_token(
    user: User,
    name: str,
    role: Role | str,
    expires: datetime | None = None,
    scopes: Iterable[Scope | str] | None = None,
) -> tuple[ApiToken, str]:
    """The token and its secret, which nobody can read again. `expires` None: until revoked.
    `scopes` None: all that are of use to the role.
    """
    name = name.strip()
    wanted = Role(role)
    granted = in_order(scopes_of(wanted) if scopes is None else scopes)
    has = role_of(user)
    if not name or len(name) > 80 or not name.isprintable():  # noqa: PLR2004 - the column's length
        raise TokenRefused("Give the token a name of 1 to 80 printable characters.")
    if has is None or not has.covers(wanted):
        text = f"The role {wanted} is more than {user.get_username()} has ({has})."
        raise TokenRefused(text, field="role")
    if not granted:
        text = "A token without a scope opens nothing: choose at least one."
        raise TokenRefused(text, field="scopes")
    if too_high := [scope for scope in granted if not wanted.covers(scope.needs)]:
        scope = too_high[0]
        text = f"The scope {scope} needs the role {scope.needs}: choose that, or leave {scope} out."
        raise TokenRefused(text, field="scopes")
    if expires is not None and expires <= timezone.now():
        text = "The token would be expired already: choose a later day."
        raise TokenRefused(text, field="days")
    if ApiToken.objects.usable().filter(user=user).count() >= MAX_ACTIVE:
        raise TokenRefused(f"{MAX_ACTIVE} active tokens are the most: revoke one first.")
    secret = SECRET_PREFIX + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        user=user,
        name=name,
        prefix=secret[:_SHOWN],
        digest=_digest(secret),
        role=wanted,
        scopes=" ".join(granted),
        expires_at=expires,
    )
    return token, secret


def revoke_token(token: ApiToken) -> bool:
    """Whether it was active until now; its next call is refused."""
    changed = ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(
        revoked_at=timezone.now()
    )
    token.refresh_from_db(fields=["revoked_at"])
    return bool(changed)


def authenticate(secret: str) -> Caller | None:
    """The caller behind a secret; never more than its owner may do now."""
    if not secret.startswith(SECRET_PREFIX):
        return None
    # Found by the hash of 256 random bits: how long the look-up takes says nothing of them.
    token = ApiToken.objects.usable().select_related("user").filter(digest=_digest(secret)).first()
    if token is None:
        return None
    owner = role_of(token.user)
    if owner is None:
        return None
    _note_use(token)
    granted = Role(token.role)
    role = granted if owner.covers(granted) else owner
    return Caller(token.user, role, token, scopes_of(role).intersection(token.granted))


def _note_use(token: ApiToken) -> None:
    """At most one write a minute, however often a token calls."""
    now = timezone.now()
    stale = now - _USED_EVERY
    if token.last_used_at is None or token.last_used_at < stale:
        unsaid = Q(last_used_at=None) | Q(last_used_at__lt=stale)
        ApiToken.objects.filter(unsaid, pk=token.pk).update(last_used_at=now)


def _digest(secret: str) -> str:
    return sha256(secret.encode()).hexdigest()
