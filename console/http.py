"""How a view answers: the whole page, or only the part that htmx asked for."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django_htmx.middleware import HtmxDetails

from console.access.roles import role_of


def render_page(
    request: HttpRequest,
    template: str,
    partial: str,
    context: Mapping[str, Any],
    *,
    status: int = 200,
) -> HttpResponse:
    """The page `template`, or its `{% partialdef partial %}` alone when htmx wants a part of it.

    A boosted link and a history restore want the whole page. `role` joins the context. The answer
    is a signed-in person's own: no cache keeps it.
    """
    htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # HtmxMiddleware sets it
    wants_part = bool(htmx) and not htmx.boosted and not htmx.history_restore_request
    name = f"{template}#{partial}" if wants_part and partial else template
    response = render(request, name, {**context, "role": role_of(request.user)}, status=status)
    patch_vary_headers(response, ("HX-Request", "HX-Boosted", "Cookie"))
    response["Cache-Control"] = "no-store"
    return response
