"""Django's admin, for reading only: every change goes through the console, with role and reason."""
# ruff: noqa: ARG002 - the signatures are Django's

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import ModelAdmin
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.models import Group, User
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, resolve_url
from django.views.decorators.csrf import csrf_exempt

from console.access.models import ApiToken, AuditCheck, AuditEntry, AuditHead
from console.access.roles import Role, role_of
from console.flags.models import Flag, Freeze, PlannedStage
from console.roadmap.models import Edit, Entry, Optimisation, Phase, Programme
from validation.models import Control, Run

if TYPE_CHECKING:
    _Base = ModelAdmin[Model]
else:
    _Base = ModelAdmin  # Django's own is not generic


class ReadOnly(_Base):
    """Shows rows to admins, changes none."""

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_module_permission(self, request: HttpRequest) -> bool:
        return role_of(request.user) is Role.ADMIN

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class Users(ReadOnly):
    list_display = ("username", "is_active", "is_superuser", "last_login")
    # A hash is nobody's to read.
    exclude = ("password",)


class Runs(ReadOnly):
    list_display = ("__str__", "title", "state", "total", "origin", "created_by", "created_at")
    list_filter = ("state", "origin")
    # May hold the keys of nodes.
    exclude = ("node_urls",)


class Tokens(ReadOnly):
    list_display = (
        *("name", "prefix", "user", "role", "scopes"),
        *("expires_at", "last_used_at", "revoked_at"),
    )
    exclude = ("digest",)


class Audit(ReadOnly):
    list_display = (
        *("position", "at", "actor", "origin", "source", "action", "kind", "target"),
        *("reason", "revision"),
    )
    list_filter = ("kind", "action", "origin")


class Controls(ReadOnly):
    list_display = ("__str__", "settings", "lasting", "expires_at", "actor", "reason")
    list_filter = ("kind",)


class Checks(ReadOnly):
    list_display = ("__str__", "checked_at")


class Flags(ReadOnly):
    list_display = ("__str__", "enabled", "unit", "revision", "changed_at", "actor")
    list_filter = ("layer", "fleet", "enabled")


class Plans(ReadOnly):
    list_display = ("__str__", "actor", "reason", "note")
    list_filter = ("state",)


def _may_enter(request: HttpRequest) -> bool:
    return role_of(request.user) is Role.ADMIN


# It only leads elsewhere: a POST with or without a token is the same.
@csrf_exempt
@login_not_required
def _sign_in_elsewhere(request: HttpRequest, **_: Any) -> HttpResponse:
    """Django's own form would try passwords that nobody counts; sign-in is at one place."""
    if request.user.is_authenticated and not _may_enter(request):
        # Sign-in would send who is signed in straight back here.
        raise PermissionDenied("The admin pages need the role admin. An admin can give it to you.")
    return redirect(resolve_url("sign-in") + "?next=/admin/")


admin.site.login = _sign_in_elsewhere  # type: ignore[assignment, method-assign]
# Also admins by group come in, not only Django's `is_staff`.
admin.site.has_permission = _may_enter  # type: ignore[method-assign]
admin.site.site_header = "Switchyard (read only)"
_SHOWN = (
    (Group, ReadOnly),
    (User, Users),
    (Run, Runs),
    (ApiToken, Tokens),
    (AuditEntry, Audit),
    (AuditHead, ReadOnly),
    (AuditCheck, Checks),
    (Flag, Flags),
    (PlannedStage, Plans),
    (Freeze, ReadOnly),
    (Programme, ReadOnly),
    (Phase, ReadOnly),
    (Optimisation, ReadOnly),
    (Entry, ReadOnly),
    (Edit, ReadOnly),
    (Control, Controls),
)
for model, options in _SHOWN:
    if admin.site.is_registered(model):
        admin.site.unregister(model)
    admin.site.register(model, options)
