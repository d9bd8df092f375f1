"""Sends OpenTelemetry's traces to where OTEL_EXPORTER_OTLP_ENDPOINT says; without it, nothing.

The SDK reads the rest of `OTEL_*` itself (service name, sampler, headers, timeouts). It is loaded
only where it is wanted, after the fork: its exporter is a thread.
"""

import os
import socket
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import urlsplit

import structlog

_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_OFF: Final = "OTEL_SDK_DISABLED"
# A collector that is away must not hold up a process that ends, as the SDK's 10 s would.
_TIMEOUT_S: Final = 2.0
_QUEUE: Final = 8_192

_is_on = False

log = structlog.get_logger(__name__)


def refusal(environ: Mapping[str, str]) -> tuple[str, str, str] | None:
    """The name, the value and what is wanted instead, of a setting that cannot work."""
    for name in _ENDPOINTS:
        value = environ.get(name, "").strip()
        if value and urlsplit(value).scheme not in {"http", "https"}:
            return name, value, "an http(s) address such as http://127.0.0.1:4318"
    protocol = environ.get("OTEL_EXPORTER_OTLP_PROTOCOL", "").strip()
    if protocol and protocol != "http/protobuf":
        return "OTEL_EXPORTER_OTLP_PROTOCOL", protocol, "http/protobuf: no other is spoken here"
    return None


def is_wanted(environ: Mapping[str, str]) -> bool:
    off = environ.get(_OFF, "").strip().lower() == "true"
    return not off and any(environ.get(name, "").strip() for name in _ENDPOINTS)


def is_on() -> bool:
    """Whether this process traces: what is asked for each request costs nothing where it is not."""
    return _is_on


def begin(role: str) -> Callable[[], None]:
    """Traces this process, "web" or "worker", from now on; what ends it and sends the rest."""
    global _is_on  # noqa: PLW0603 - a process is traced or it is not
    if not is_wanted(os.environ):
        return _nothing
    # Here: whoever traces nothing does not pay for loading it.
    from opentelemetry import trace  # noqa: PLC0415 - as said
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - as said
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - as said
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415 - as said
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415 - as said

    name = os.environ.get("OTEL_SERVICE_NAME", "").strip() or "switchyard"
    provider = TracerProvider(
        resource=Resource.create(
            {
                "service.name": name,
                "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                "switchyard.role": role,
            }
        )
    )
    timeout_s = None if os.environ.get("OTEL_EXPORTER_OTLP_TIMEOUT") else _TIMEOUT_S
    exporter = OTLPSpanExporter(timeout=timeout_s)
    provider.add_span_processor(BatchSpanProcessor(exporter, max_queue_size=_QUEUE))
    trace.set_tracer_provider(provider)
    _is_on = True
    log.info("traces.begun", role=role)
    return provider.shutdown


def _nothing() -> None:
    pass
