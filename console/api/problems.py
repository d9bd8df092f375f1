"""Errors of the API: `application/problem+json`, mapped once from whatever was raised."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from django.core.exceptions import (
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.http.multipartparser import MultiPartParserError
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from psycopg_pool import PoolTimeout, TooManyRequests

from console import away
from console.controls import (
    Busy,
    Conflict,
    ControlError,
    Refused,
    RoleTooLow,
    UnknownBreaker,
    UnknownFlag,
    UnknownNode,
    turns,
)
from validation.services import IdempotencyConflict, MalformedItems, RunRefused

log = structlog.get_logger(__name__)

_TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported format",
    422: "Not understood",
    429: "Too many requests",
    500: "Internal error",
    503: "Unavailable",
}
# The database is away, or every connection is taken.
UNAVAILABLE = (OperationalError, InterfaceError, PoolTimeout, TooManyRequests)


class Problem(Exception):
    """An answer that is an error: its status, one sentence, and members of its own."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members
        super().__init__(detail)


def respond(problem: Problem) -> HttpResponse:
    body = {
        "type": "about:blank",
        "title": _TITLES.get(problem.status, "Error"),
        "status": problem.status,
        "detail": problem.detail,
        **problem.members,
    }
    headers = dict(problem.headers)
    if problem.status == 401:  # noqa: PLR2004 - its own name
        headers.setdefault("WWW-Authenticate", 'Bearer realm="switchyard"')
    if problem.status in {429, 503}:
        headers.setdefault("Retry-After", "2")
    return HttpResponse(
        # Half a surrogate pair, echoed from what the caller sent, has no UTF-8: it becomes "?".
        json.dumps(body, ensure_ascii=False).encode(errors="replace"),
        status=problem.status,
        content_type="application/problem+json",
        headers=headers | {"Cache-Control": "no-store"},
    )


def field_error(field: str, value: object, expected: str) -> Problem:
    """422 that names the field and what stood there."""
    shown = value if isinstance(value, int | float | bool | None) else str(value)[:200]
    error = {"field": field, "value": shown, "expected": expected}
    return Problem(422, f"{field}: {shown!r} is not {expected}.", errors=[error])


# What means the same wherever it is raised; an empty text is the exception's own.
_KNOWN: tuple[tuple[type[Exception], int, str], ...] = (
    (Http404, 404, ""),
    (PermissionDenied, 403, ""),
    (IdempotencyConflict, 409, ""),
    (RequestDataTooBig, 413, "The body is too large: send it in parts."),
    (MultiPartParserError, 400, "The form is malformed."),
    (SuspiciousOperation, 400, "An address or a field of the request is malformed."),
)


def problem_of(exc: Exception, request: HttpRequest) -> Problem:
    """What an exception means to the caller; an unexpected one keeps its secrets for the log."""
    for kind, status, text in _KNOWN:
        if isinstance(exc, kind):
            return Problem(status, text or str(exc) or "There is nothing at this address.")
    match exc:
        case Problem():
            problem = exc
        case MalformedItems():
            problem = _malformed(exc)
        case ValidationError():
            problem = _invalid(exc, request)
        case ControlError():
            problem = _of_control(exc)
        case RunRefused():
            problem = Problem(422 if request.path.endswith("/runs") else 409, str(exc))
        case HttpError():
            problem = Problem(exc.status_code, str(exc))
        case _ if isinstance(exc, UNAVAILABLE):
            log.warning("database_unavailable", path=request.path, why=str(away.why(exc)))
            problem = Problem(503, f"{away.said(exc)} Try again.")
        case _:
            problem = _internal(exc, request)
    return problem


def _of_control(exc: ControlError) -> Problem:
    match exc:
        case Refused():
            return field_error(exc.field, exc.value, exc.expected)
        case RoleTooLow():
            return Problem(403, str(exc))
        case UnknownBreaker() | UnknownFlag() | UnknownNode():
            return Problem(404, str(exc))
        case Busy():
            return Problem(429, str(exc), headers={"Retry-After": str(turns.RETRY_AFTER_S)})
        case Conflict():
            return Problem(409, str(exc), revision=exc.current.revision)
        case _:
            return Problem(409, str(exc))


def _malformed(exc: MalformedItems) -> Problem:
    rows = [{"line": m.line, "text": m.text, "reason": m.reason} for m in exc.malformed]
    return Problem(422, f"Nothing was started: {exc}", malformed=rows, malformed_count=exc.count)


def _internal(exc: Exception, request: HttpRequest) -> Problem:
    reference = secrets.token_hex(6)
    log.error("request_failed", reference=reference, path=request.path, exc_info=exc)
    text = f"Something went wrong on our side. The log has it under the reference {reference}."
    return Problem(500, text, reference=reference)


def _invalid(exc: ValidationError, request: HttpRequest) -> Problem:
    errors = []
    for error in exc.errors:
        field = str(error["loc"][-1])
        value = request.GET.get(field, "")[:200]
        errors.append({"field": field, "value": value, "expected": _expected(error)})
    text = "; ".join(f"{e['field']}: {e['value']!r} is not {e['expected']}" for e in errors)
    return Problem(422, f"{text}.", errors=errors)


def _expected(error: dict[str, Any]) -> str:
    """What a field takes, in our words: those of a library are for who wrote the schema."""
    bounds = error.get("ctx", {})
    match error["type"]:
        case "greater_than_equal":
            return f"a whole number from {bounds['ge']}"
        case "less_than_equal":
            return f"a whole number up to {bounds['le']}"
        case kind if kind.startswith("int_"):
            return "a whole number"
        case "literal_error":
            return "one of " + str(bounds["expected"]).replace("'", "").replace(" or ", ", ")
        case _:
            return "what this field takes: /api/v1/docs says what that is"


def install(api: NinjaAPI) -> None:
    def handle(request: HttpRequest, exc: Exception | type[Exception]) -> HttpResponse:
        return respond(problem_of(exc if isinstance(exc, Exception) else exc(), request))

    for kind in (Exception, Http404, HttpError, ValidationError, Problem):
        api.add_exception_handler(kind, handle)
