"""API tokens: who may call the API, for what, since when, until when; made and revoked here."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_http_methods

from console.access.models import ApiToken
from console.access.roles import requires
from console.access.tokens import TokenRefused, create_token, revoke_token
from console.http import render_page
from console.pages.forms import NewTokenForm

SHOWN = 200


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def show(request: HttpRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, NewTokenForm())
    form = NewTokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=422)
    wanted = form.cleaned_data
    owner = request.user
    if not isinstance(owner, User):  # the decorator has seen to it; types have not
        raise PermissionDenied
    try:
        token, secret = create_token(
            owner, wanted["name"], wanted["role"], form.expires_at(), wanted["scopes"]
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
    if request.method != "POST":
        context = {"token": token, "action": request.path}
        return render_page(request, "console/confirm_revoke.html", "confirm", context)
    if revoke_token(token):
        messages.success(request, f"{token.name} is revoked: its next call is refused.")
    else:
        messages.error(request, f"{token.name} was not active any more.")
    return redirect("tokens")


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
