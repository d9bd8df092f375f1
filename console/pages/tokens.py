"""API tokens: who may call the API, for what, since when, until when; made and revoked here."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from console.access import granting
from console.access.audit import Actor
from console.access.models import ApiToken
from console.access.roles import requires
from console.access.tokens import TokenRefused
from console.http import render_page
from console.pages.forms import NewTokenForm, ReasonForm

SHOWN = 200
MADE, REVOKED = "Made on the page of API tokens", "Revoked on the page of API tokens"


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def show(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, NewTokenForm())
    form = NewTokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    wanted = form.cleaned_data
    owner = _admin(request)
    try:
        token, secret = granting.make_token(
            Actor.on_page(owner),
            owner,
            wanted["name"],
            wanted["role"],
            expires=form.expires_at(),
            scopes=wanted["scopes"],
            reason=wanted["reason"] or MADE,
        )
    except TokenRefused as refused:
        form.add_error(refused.field, str(refused))
        return _page(request, form, status=422)
    # Not redirected: the secret is shown in this one answer and kept nowhere.
    return _page(request, NewTokenForm(), status=201, made=token, secret=secret)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    token = get_object_or_404(ApiToken.objects.select_related("user"), pk=pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"token": token, "action": request.path, "form": form}
        status = 422 if form.is_bound else 200
        return render_page(
            request, "console/confirm_revoke.html", "confirm", context, status=status
        )
    actor, reason = Actor.on_page(_admin(request)), form.cleaned_data["reason"] or REVOKED
    if granting.withdraw_token(actor, token, reason=reason):
        messages.success(request, f"{token.name} is revoked: its next call is refused.")
    else:
        messages.error(request, f"{token.name} was not active any more.")
    return redirect("tokens")


def _admin(request: HttpRequest) -> User:
    """The decorator has seen to it; types have not."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


def _page(
    request: HttpRequest, form: NewTokenForm, *, status: int = 200, **made: Any
) -> HttpResponse:
    found = list(ApiToken.objects.select_related("user")[: SHOWN + 1])
    context = {
        "section": "tokens",
        "form": form,
        "tokens": found[:SHOWN],
        "total": len(found) if len(found) <= SHOWN else ApiToken.objects.count(),
        **made,
    }
    return render_page(request, "console/tokens.html", "", context, status=status)
