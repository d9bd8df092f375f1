"""What an error looks like to a person: a page that says what happened and what to do."""
# ruff: noqa: ARG001 - Django passes `exception` by its name

import secrets
import sys

import structlog
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from console import away
from console.access.remembered import is_known
from console.access.roles import role_of
from console.api.problems import UNAVAILABLE, Problem, problem_of, respond

log = structlog.get_logger(__name__)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    # The text of a SuspiciousOperation is for the log: it may quote what an attacker sent.
    return _page(request, 400, "The request could not be understood.")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 403, str(exception) or "Your role does not allow this.")


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    log.info("csrf_refused", path=request.path, reason=reason)
    return _page(
        request,
        403,
        "It was opened in an older session, or its cookie is gone. Nothing was changed: go back,"
        " reload the page and send it again.",
        heading="This form is out of date",
    )


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _page(request, 404, "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, or 503 while the database is away. Its templates ask the database nothing."""
    exception = sys.exc_info()[1]
    if isinstance(exception, UNAVAILABLE):
        return _unavailable(request, exception)
    reference = secrets.token_hex(6)
    log.error("request_failed", reference=reference, path=request.path, exc_info=exception)
    if _is_api(request):
        fault = f"Something went wrong. The log has it under the reference {reference}."
        return respond(Problem(500, fault))
    page = render_to_string("500.html", {"reference": reference})
    response = HttpResponse(page, status=500)
    response["Cache-Control"] = "no-store"
    return response


def _unavailable(request: HttpRequest, exception: BaseException) -> HttpResponse:
    """To who was signed in a moment ago, with what Valkey knows: who is, only the database can say.

    No cookie is touched: whoever was signed in is so when the database is back.
    """
    log.warning("database_unavailable", path=request.path, why=str(away.why(exception)))
    if _is_api(request):
        return respond(Problem(503, away.said(exception)))
    is_safe = request.method in {"GET", "HEAD"}
    context = {
        "why": away.why(exception).value,
        "away_s": away.away_s(),
        "pool_max": away.pool_max(),
        "sent": not is_safe,
        "again": request.get_full_path() if is_safe else "",
        "known": away.still_known() if is_known(request) else None,
    }
    response = HttpResponse(render_to_string("503.html", context), status=503)
    response["Cache-Control"] = "no-store"
    response["Retry-After"] = "2"
    return response


def _page(request: HttpRequest, status: int, reason: str, *, heading: str = "") -> HttpResponse:
    if _is_api(request):
        said = f"{heading}. {reason}" if heading else reason
        return respond(problem_of(Problem(status, said), request))
    user = getattr(request, "user", None)
    role = role_of(user) if user is not None else None
    context = {
        "heading": heading,
        "reason": reason,
        "role": role,
        "exception": reason,
        "request_path": request.path,
    }
    response = render(request, f"{status}.html", context, status=status)
    response["Cache-Control"] = "no-store"
    return response


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
