"""Serves a WSGI application from ASGI: a bounded thread pool behind a bounded waiting room.

A request takes a thread only while Python works on it: bodies are collected first (`bodies.py`), a
streamed answer is drawn chunk by chunk from a small pool of its own, so a slow client keeps nobody
waiting. Measured against Django's own ASGI handler in docs/adr/0002.
"""

import asyncio
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import structlog
from django.db import close_old_connections

from console import patience
from console.bodies import Bodies, BodyConfig
from console.compression import NO_COMPRESSION, Compression
from console.handler import ROUTE
from console.request_log import REQUEST_LOGS, RequestLog
from console.served import Ended, nobody
from console.wire import Headers, Receive, Refused, Scope, Send, abort, refuse
from monitoring.instruments import HTTP_DURATION

_SEND_IDLE_S = 30.0
# Threads that draw streamed answers: an export keeps its connection until it is written.
EXPORTS = 2
_CHUNK = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "server", "date"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """`threads` work, `waiting` more requests may wait `wait_s`, what comes after is refused."""

    threads: int = 6
    waiting: int = 128
    wait_s: float = patience.WAIT_S
    bodies: BodyConfig = field(default_factory=BodyConfig)
    # Asked at each answer: they follow flags.
    compression: Callable[[], Compression] = lambda: NO_COMPRESSION
    request_log: Callable[[], RequestLog] = lambda: REQUEST_LOGS["failures"]
    # Asked as a request begins for what is told of its answer.
    served: Callable[[], Ended] = nobody


@dataclass(slots=True)
class _Answer:
    status: int
    headers: Headers
    body: bytes
    # What is still to be drawn of a streamed answer, and how to let go of it.
    rest: Iterator[bytes] | None
    close: Callable[[], None]


class WsgiBridge:
    """The ASGI face of one WSGI application, for `http` scopes."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], config: BridgeConfig) -> None:
        self._wsgi = wsgi
        self._config = config
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="web")
        self._streams = ThreadPoolExecutor(EXPORTS, thread_name_prefix="export")
        self._bodies = Bodies(config.bodies)
        self._pending = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route, began, ended = "none", time.perf_counter(), self._config.served()
        try:
            self._check_room()
            async with self._bodies.of(scope, receive) as body:
                if body is None:
                    return  # the client left while it was sending
                environ = environ_of(scope, body)
                began = time.perf_counter()  # a slow client's body is no slow answer
                answer = await self._answer(environ)
                self._count(scope["method"], environ.get(ROUTE, route), answer.status, began, ended)
        except Refused as exc:
            self._count(scope["method"], route, exc.status, began, ended)
            await refuse(scope, send, exc.status, str(exc), closes=exc.closes)
            return
        await self._send(scope, answer, receive, send)

    def close(self) -> None:
        for pool in (self._pool, self._streams):
            pool.shutdown(wait=False, cancel_futures=True)

    # How it is worked on.

    def _check_room(self) -> None:
        if self._pending >= self._config.threads + self._config.waiting:
            raise Refused(503, "The console is busy. Try again in a second.")

    async def _answer(self, environ: dict[str, Any]) -> _Answer:
        self._check_room()
        self._pending += 1
        work = self._pool.submit(self._work, environ, time.monotonic())
        # What no thread took up in time is refused; what one did is never cut off.
        timer = asyncio.get_running_loop().call_later(self._config.wait_s, work.cancel)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise Refused(503, "The console is busy. Try again in a second.") from exc
        finally:
            timer.cancel()
            self._pending -= 1

    def _work(self, environ: dict[str, Any], queued_at: float) -> _Answer:
        patience.has_queued(time.monotonic() - queued_at)
        started: list[tuple[int, Headers]] = []

        def start_response(
            status: str, headers: list[tuple[str, str]], _exc_info: object = None
        ) -> None:
            kept = [
                (name.lower().encode("latin-1"), value.encode("latin-1"))
                for name, value in headers
                if name.lower() not in _HOP_BY_HOP
            ]
            started.append((int(status[:3]), kept))

        result = self._wsgi(environ, start_response)
        close: Callable[[], None] = getattr(result, "close", lambda: None)
        status, headers = started[-1]
        if not getattr(result, "streaming", False) or environ["REQUEST_METHOD"] == "HEAD":
            body = b"" if environ["REQUEST_METHOD"] == "HEAD" else b"".join(result)
            close()
            return self._whole(environ, status, headers, body)
        chunks = iter(result)
        body = _draw(chunks)
        # The view's connection is this thread's: the stream must not keep it.
        close_old_connections()
        if len(body) < _CHUNK:
            close()
            return self._whole(environ, status, headers, body)
        return _Answer(status, headers, body, chunks, close)

    def _whole(
        self, environ: dict[str, Any], status: int, headers: Headers, body: bytes
    ) -> _Answer:
        """What is complete, as small as the client takes it; in the thread that made it."""
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        headers, body = self._config.compression().encode(accepted, status, headers, body)
        return _Answer(status, headers, body, None, lambda: None)

    def _count(self, method: str, route: str, status: int, began: float, ended: Ended) -> None:
        took_s = time.perf_counter() - began
        HTTP_DURATION.labels(route, str(status)).observe(took_s)
        self._config.request_log().note(method, route, status, took_s)
        ended(route, status, took_s)

    # How the answer goes out.

    async def _send(self, scope: Scope, answer: _Answer, receive: Receive, send: Send) -> None:
        headers = answer.headers
        known = any(name == b"content-length" for name, _ in headers)
        if answer.body and answer.rest is None and not known:
            headers.append((b"content-length", b"%d" % len(answer.body)))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        if answer.rest is None:
            await send({"type": "http.response.body", "body": answer.body})
            return
        watch = asyncio.ensure_future(_disconnected(receive))
        loop = asyncio.get_running_loop()
        try:
            await self._stream(answer.body, answer.rest, watch, send)
        except Exception:
            # The connection ends unfinished, so that nobody takes a part for the whole.
            log.exception("stream_failed", path=scope["path"])
            abort(send)
        finally:
            watch.cancel()
            await asyncio.shield(loop.run_in_executor(self._streams, answer.close))

    async def _stream(
        self, chunk: bytes, rest: Iterator[bytes], watch: "asyncio.Future[None]", send: Send
    ) -> None:
        loop = asyncio.get_running_loop()
        while chunk:
            if watch.done():
                return
            async with asyncio.timeout(_SEND_IDLE_S):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            chunk = await loop.run_in_executor(self._streams, _draw, rest)
        await send({"type": "http.response.body", "body": b""})


def _draw(chunks: Iterator[bytes]) -> bytes:
    """The next chunks together, at least `_CHUNK` bytes of them unless they end."""
    drawn: list[bytes] = []
    size = 0
    for chunk in chunks:
        drawn.append(chunk)
        size += len(chunk)
        if size >= _CHUNK:
            break
    return b"".join(drawn)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def environ_of(scope: Scope, body: IO[bytes]) -> dict[str, Any]:
    """PEP 3333's view of an ASGI request.

    Headers with an underscore are dropped: two names would meet in one variable, and a client could
    so speak for a proxy.
    """
    host, port = (scope.get("server") or ("localhost", 80))[:2]
    client = scope.get("client") or ("", 0)
    raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
    environ: dict[str, Any] = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw_path).decode("latin-1"),
        "QUERY_STRING": scope.get("query_string", b"").decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or 80),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.get("scheme", "http"),
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            key = f"HTTP_{key}"
        text = value.decode("latin-1")
        if key in environ:
            separator = "; " if key == "HTTP_COOKIE" else ","
            text = f"{environ[key]}{separator}{text}"
        environ[key] = text
    if "CONTENT_LENGTH" not in environ and (length := _length(body)):
        # A chunked body: its length is known now, and Django reads no further than it is told.
        environ["CONTENT_LENGTH"] = str(length)
    return environ


def _length(body: IO[bytes]) -> int:
    length = body.seek(0, 2)
    body.seek(0)
    return length if length is not None else body.tell()
