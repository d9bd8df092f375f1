"""One span of OpenTelemetry a request, as its conventions name it; nothing where none is traced."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.http import HttpRequest
from opentelemetry import trace
from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, StatusCode

from monitoring import tracing

_FAILED: Final = 500

type Answered = Callable[[str, int], None]

_tracer = trace.get_tracer("switchyard.web")


@contextmanager
def serving(request: HttpRequest) -> Iterator[Answered]:
    """Around the work on a request, as a part of its caller's trace. What it gives is told the
    route, a name of the code, and the status.
    """
    if not tracing.is_on():
        yield _untold
        return
    caller = extract({"traceparent": request.headers.get("traceparent", "")})
    with _tracer.start_as_current_span(
        str(request.method), context=caller, kind=SpanKind.SERVER
    ) as span:

        def answered(route: str, status: int) -> None:
            span.update_name(f"{request.method} {route}")
            span.set_attributes(
                {
                    "http.request.method": str(request.method),
                    "http.route": route,
                    "http.response.status_code": status,
                }
            )
            if status >= _FAILED:
                span.set_status(StatusCode.ERROR)

        yield answered


def _untold(_route: str, _status: int) -> None:
    pass


def trace_id() -> str:
    """Of the span at hand, 32 hexadecimal digits; "" where nothing is traced."""
    if not tracing.is_on():
        return ""
    span = trace.get_current_span()
    return format(span.get_span_context().trace_id, "032x") if span.is_recording() else ""
