"""The three roles, and the decorator by which a view asks for one."""

from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Concatenate

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase


class Role(StrEnum):
    """Each role may do what those before it may. Stored as Django groups of these names."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"

    def covers(self, needed: "Role") -> bool:
        return _RANK[self] >= _RANK[needed]


_RANK = {role: rank for rank, role in enumerate(Role)}


def role_of(user: AbstractBaseUser | AnonymousUser) -> Role | None:
    """The highest role of a user; one without any group views; None for an anonymous caller.

    Asked of the database once a user object, that is once a request.
    """
    if not isinstance(user, User) or not user.is_active:
        return None
    known: Role | None = getattr(user, "_switchyard_role", None)
    if known is None:
        known = Role.ADMIN if user.is_superuser else _role_by_groups(user)
        user._switchyard_role = known  # type: ignore[attr-defined]  # noqa: SLF001 - our own cache
    return known


def _role_by_groups(user: User) -> Role:
    names = set(user.groups.values_list("name", flat=True))
    return max((role for role in Role if role in names), key=_RANK.__getitem__, default=Role.VIEWER)


type View[**P] = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def requires[**P](role: Role | str) -> Callable[[View[P]], View[P]]:
    """Lets a view answer only callers whose role covers `role`; others get the 403 page."""
    needed = Role(role)

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            has = role_of(request.user)
            if has is None or not has.covers(needed):
                raise PermissionDenied(
                    f"This needs the role {needed}; you are {has or 'not signed in'}. "
                    "An admin can change that."
                )
            return view(request, *args, **kwargs)

        return guarded

    return decorate
