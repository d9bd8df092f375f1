"""Serves a WSGI application from ASGI: a bounded thread pool behind a bounded waiting room.

A request takes a thread only while Python works on it: bodies are collected first (spooled to disk
when large), a streamed answer is drawn chunk by chunk from a small pool of its own, so a slow
client keeps nobody waiting. Measured against Django's own ASGI handler in docs/adr/0002.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import structlog
from django.db import close_old_connections

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Headers = list[tuple[bytes, bytes]]

_IN_MEMORY = 256 * 1024
_BODY_IDLE_S = 15.0
_SEND_IDLE_S = 30.0
_CHUNK = 64 * 1024
_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade", "server", "date"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeConfig:
    """`threads` work, `waiting` more requests may wait `wait_s`, what comes after is refused."""

    threads: int = 6
    waiting: int = 128
    wait_s: float = 1.0
    # Bodies being received at once: each may lie on disk up to `max_body` bytes.
    receiving: int = 256
    max_body: int = 100 * 1024 * 1024


@dataclass(slots=True)
class _Answer:
    status: int
    headers: Headers
    body: bytes
    # What is still to be drawn of a streamed answer, and how to let go of it.
    rest: Iterator[bytes] | None
    close: Callable[[], None]


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


class WsgiBridge:
    """The ASGI face of one WSGI application, for `http` scopes."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], config: BridgeConfig) -> None:
        self._wsgi = wsgi
        self._config = config
        self._pool = ThreadPoolExecutor(config.threads, thread_name_prefix="web")
        self._streams = ThreadPoolExecutor(2, thread_name_prefix="export")
        self._pending = 0
        self._receiving = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body: IO[bytes] | None = None
        try:
            body = await self._body(scope, receive)
            if body is None:
                return  # the client left while it was sending
            answer = await self._answer(environ_of(scope, body))
        except _Refused as exc:
            await refuse(scope, send, exc.status, str(exc))
            return
        finally:
            if body is not None:
                body.close()
        await self._send(scope, answer, receive, send)

    def close(self) -> None:
        for pool in (self._pool, self._streams):
            pool.shutdown(wait=False, cancel_futures=True)

    # How a request comes in.

    async def _body(self, scope: Scope, receive: Receive) -> IO[bytes] | None:
        headers = dict(scope["headers"])
        if b"transfer-encoding" not in headers and headers.get(b"content-length", b"0") == b"0":
            return BytesIO()
        self._check_length(headers.get(b"content-length", b"0"))
        if self._pending >= self._config.threads + self._config.waiting:
            raise _Refused(503, "The console is busy. Try again in a second.")
        if self._receiving >= self._config.receiving:
            raise _Refused(503, "Too many uploads at once. Try again in a second.")
        self._receiving += 1
        spool: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - outlives
        try:
            whole = await self._collect(receive, spool)
        except BaseException:
            spool.close()
            raise
        finally:
            self._receiving -= 1
        if not whole:
            spool.close()
            return None
        spool.seek(0)
        return spool

    async def _collect(self, receive: Receive, spool: IO[bytes]) -> bool:
        """Whether the whole body came; a client that sends nothing for a while is let go."""
        size = 0
        while True:
            try:
                async with asyncio.timeout(_BODY_IDLE_S):
                    message = await receive()
            except TimeoutError as exc:
                raise _Refused(408, f"No data came for {_BODY_IDLE_S:.0f} s.") from exc
            if message["type"] == "http.disconnect":
                return False
            part = message.get("body", b"")
            size += len(part)
            self._check_length(b"%d" % size)
            spool.write(part)
            if not message.get("more_body", False):
                return True

    def _check_length(self, length: bytes) -> None:
        limit = self._config.max_body
        if not length.isdigit():
            raise _Refused(400, "Content-Length is not a number.")
        if int(length) > limit:
            raise _Refused(413, f"The body is larger than {limit // 2**20} MB: send it in parts.")

    # How it is worked on.

    async def _answer(self, environ: dict[str, Any]) -> _Answer:
        config = self._config
        if self._pending >= config.threads + config.waiting:
            raise _Refused(503, "The console is busy. Try again in a second.")
        self._pending += 1
        work = self._pool.submit(self._work, environ)
        # What no thread took up in time is refused; what one did is never cut off.
        timer = asyncio.get_running_loop().call_later(config.wait_s, work.cancel)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError as exc:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise _Refused(503, "The console is busy. Try again in a second.") from exc
        finally:
            timer.cancel()
            self._pending -= 1

    def _work(self, environ: dict[str, Any]) -> _Answer:
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
            return _Answer(status, headers, body, None, lambda: None)
        chunks = iter(result)
        body = _draw(chunks)
        # The view's connection is this thread's: the stream must not keep it.
        close_old_connections()
        if len(body) < _CHUNK:
            close()
            return _Answer(status, headers, body, None, lambda: None)
        return _Answer(status, headers, body, chunks, close)

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


async def refuse(scope: Scope, send: Send, status: int, reason: str) -> None:
    """A short answer that needs neither thread nor template; an API caller gets its problem."""
    api = scope["path"].startswith("/api/")
    kind = b"application/problem+json" if api else b"text/plain; charset=utf-8"
    text = json.dumps({"title": reason, "status": status}) if api else reason
    headers = [
        (b"content-type", kind),
        (b"content-length", b"%d" % len(text.encode())),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status in {429, 503}:
        headers.append((b"retry-after", b"1"))
    if status in {408, 413}:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


def abort(send: Send) -> None:
    """Cuts the connection under uvicorn, whose own way would wait for a client that reads nothing.

    ASGI has no word for it; on another server this does nothing and returning does the rest.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    with suppress(AttributeError):
        transport.abort()  # type: ignore[union-attr]
