"""Who calls the API: a token, or a browser's session whose writes prove that a page made them; and
what each operation asks of the caller: a role, and of a token the scope of its area.
"""

import math
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja.utils import check_csrf

from console.access.roles import Role, role_of
from console.access.scopes import Scope, in_order
from console.access.tokens import Caller, authenticate
from console.api.problems import Problem, problem_of, respond
from console.flags import rates
from console.replicas import reading

_SAFE = {"GET", "HEAD", "OPTIONS"}
_PREFIX = "/api/v1/"
# Of what changes something, by the first word of its address; what is none of these: admin.
_AREAS = {
    "runs": Scope.RUNS,
    "alerts": Scope.CONTROL,
    "rollouts": Scope.FLAGS,
    "breakers": Scope.CONTROL,
    "caches": Scope.CONTROL,
    "nodes": Scope.CONTROL,
    "silences": Scope.CONTROL,
    "workers": Scope.CONTROL,
    "flags": Scope.FLAGS,
    "optimisations": Scope.FLAGS,
    "rehearsals": Scope.FLAGS,
    "experiments": Scope.FLAGS,
}
# Which of them it takes to take an act back, its entry says: whoever might have done it.
REVERTS = frozenset({Scope.CONTROL, Scope.FLAGS, Scope.ADMIN})

type ApiView = Callable[..., HttpResponseBase]


def caller_of(request: HttpRequest) -> Caller:
    """The caller, or the 401 that says how to become one."""
    scheme, _, credentials = request.headers.get("Authorization", "").partition(" ")
    secret = request.headers.get("X-API-Key", "")
    if scheme:
        if scheme.lower() != "bearer":
            raise Problem(401, "Authorization must be: Bearer <token>.")
        secret = credentials
    if secret:
        if caller := authenticate(secret.strip()):
            _charge(caller)
            return caller
        raise Problem(401, "This token is unknown, expired or revoked: make another in Settings.")
    role = role_of(request.user)
    if role is None or not isinstance(request.user, User):
        raise Problem(401, "Send Authorization: Bearer <token>; tokens are made in Settings.")
    if request.method not in _SAFE and check_csrf(request):
        raise Problem(403, "A write with a session needs its X-CSRFToken: reload the page.")
    return Caller(request.user, role)


def _charge(caller: Caller) -> None:
    """Counts a call of a token. A browser is not counted: its sign-in and its pages bound it."""
    wait = rates.of_api().take(f"api:{caller.token.pk}") if caller.token else None
    if wait is not None:
        seconds = max(1, math.ceil(wait))
        text = f"This token has made all its calls of the minute: wait {seconds} s."
        raise Problem(429, text, headers={"Retry-After": str(seconds)})


def guarded(view: ApiView) -> ApiView:
    """Every address of the API, whatever its method, first asks who calls."""

    @wraps(view)
    def asked(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            caller = caller_of(request)
            request.caller = caller  # type: ignore[attr-defined]
            if request.method == "HEAD":
                request.method = "GET"  # ninja knows no HEAD; the server sends no body
            response = reading.answer(
                request, caller.user.pk, partial(view, request, *args, **kwargs)
            )
        except Exception as exc:  # noqa: BLE001 - each becomes its problem, the unexpected one is logged
            response = respond(problem_of(exc, request))
        if response.status_code == 405:  # noqa: PLR2004 - its own name
            allowed = response.headers.get("Allow", "")
            detail = f"{request.method} is not possible here; {allowed} is."
            response = respond(Problem(405, detail, headers={"Allow": allowed}))
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    # The caller is asked above, and proves itself by a token or by the CSRF check there.
    return login_not_required(csrf_exempt(asked))


def scope_of(method: str, address: str, role: Role) -> Scope:
    """What a token must have for an operation. What takes an admin takes the scope of one, but for
    flags: who edits them by a token need not be able to replace nodes.
    """
    if method in _SAFE:
        return Scope.READ
    area = _AREAS.get(address.removeprefix(_PREFIX).partition("/")[0], Scope.ADMIN)
    return Scope.ADMIN if role is Role.ADMIN and area is not Scope.FLAGS else area


def needs_scope(caller: Caller, *scopes: Scope) -> None:
    """Raises the 403 of a token that has none of `scopes`."""
    if any(map(caller.may, scopes)):
        return
    has = ", ".join(in_order(caller.scopes)) or "none"
    raise Problem(403, f"This needs the scope {_either(scopes)}; your {_whose(caller)} has {has}.")


def _whose(caller: Caller) -> str:
    return f"token {caller.token.name!r}" if caller.token else "role"


def _either(scopes: Iterable[Scope]) -> str:
    return " or ".join(in_order(scopes))


class Needs:
    """Ninja's `auth=` of an operation: the least role that it takes, and of a token its scope.

    `any_of`: instead of its area's, one of these; which, the operation itself goes on to ask.
    """

    def __init__(self, role: Role, any_of: frozenset[Scope] = frozenset()) -> None:
        self.role = role
        self._any_of = any_of

    def __call__(self, request: HttpRequest) -> Caller:
        caller: Caller = request.caller  # type: ignore[attr-defined]
        if not caller.role.covers(self.role):
            whose = _whose(caller)
            raise Problem(403, f"This needs the role {self.role}; your {whose} has {caller.role}.")
        needs_scope(caller, *self._scopes(request.method or "", request.path))
        return caller

    def said(self, method: str, address: str) -> str:
        """The scope as the document names it."""
        return _either(self._scopes(method, address))

    def _scopes(self, method: str, address: str) -> frozenset[Scope]:
        return self._any_of or frozenset({scope_of(method, address, self.role)})


viewer = Needs(Role.VIEWER)
operator = Needs(Role.OPERATOR)
admin = Needs(Role.ADMIN)
reverter = Needs(Role.OPERATOR, any_of=REVERTS)
