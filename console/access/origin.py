"""Where what is being done comes from: its source address, and the id that its traces bear."""

import re
import secrets
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass

import structlog
from django.http import HttpRequest, HttpResponseBase

from console import request_spans as spans

_LONGEST_SOURCE = 64
# W3C Trace Context: version, trace, parent, flags. Versions after 00 may say more behind them.
_TRACEPARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """`source`: a network address, behind a trusted proxy that of its client. Empty: nobody's."""

    source: str = ""
    trace_id: str = ""


_current: ContextVar[Origin] = ContextVar("origin", default=Origin())  # noqa: B039 - it is frozen


def current() -> Origin:
    """That of the request at hand; outside of one, nothing is known."""
    return _current.get()


def trace_id_of(traceparent: str) -> str:
    """The caller's own trace, so that one id leads through both their logs and ours; else a new
    one.
    """
    found = _TRACEPARENT.fullmatch(traceparent.strip())
    if found is not None:
        version, trace, parent, more = found.groups()
        readable = version != "ff" and (version != "00" or more is None)
        if readable and trace.strip("0") and parent.strip("0"):
            return str(trace)
    return secrets.token_hex(16)


def known(
    answer: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: the origin of each request is known to what it does, to its log lines and, as
    X-Request-ID, to who asked.
    """

    def answered(request: HttpRequest) -> HttpResponseBase:
        origin = Origin(
            source=request.META.get("REMOTE_ADDR", "")[:_LONGEST_SOURCE],
            trace_id=spans.trace_id() or trace_id_of(request.headers.get("traceparent", "")),
        )
        token = _current.set(origin)
        try:
            with structlog.contextvars.bound_contextvars(trace_id=origin.trace_id):
                response = answer(request)
        finally:
            # The thread goes on to serve others.
            _current.reset(token)
        response["X-Request-ID"] = origin.trace_id
        return response

    return answered
