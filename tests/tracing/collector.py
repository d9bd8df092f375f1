"""A real OTLP receiver: HTTP and protobuf, on a loopback port."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Told:
    """One span as it came. Times in nanoseconds since 1970."""

    def __init__(self, role: str, span: object) -> None:
        self.role = role
        self.trace: str = span.trace_id.hex()  # type: ignore[attr-defined]
        self.id: str = span.span_id.hex()  # type: ignore[attr-defined]
        self.parent: str = span.parent_span_id.hex()  # type: ignore[attr-defined]
        self.name: str = span.name  # type: ignore[attr-defined]
        self.began: int = span.start_time_unix_nano  # type: ignore[attr-defined]
        self.ended: int = span.end_time_unix_nano  # type: ignore[attr-defined]
        self.said = {
            pair.key: getattr(pair.value, pair.value.WhichOneof("value"))
            for pair in span.attributes  # type: ignore[attr-defined]
        }


class Collector:
    """What it was told so far."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        heard = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                    told = {p.key: p.value.string_value for p in resource.resource.attributes}
                    for scope in resource.scope_spans:
                        heard.extend(Told(told["switchyard.role"], span) for span in scope.spans)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
                """Nothing of it belongs into a test's output."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @contextmanager
    def listening(self) -> Iterator["Collector"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(5)

    def of(self, trace: str) -> list[Told]:
        return [span for span in list(self.spans) if span.trace == trace]
