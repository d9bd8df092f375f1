"""One HTTP/1.1 keep-alive connection to a node, carrying one exchange at a time, without a task.

httptools parses; this module bounds head and body while they stream in and tells a connection that
died before the answer (the node restarted: ask again on a new one) from one that died within it.
"""

import asyncio
import zlib
from typing import cast

import httptools

_MAX_HEAD_BYTES = 64 * 1024
_GZIP = 16 + zlib.MAX_WBITS
_INFORMATIONAL = 200


class ConnectionDropped(Exception):
    """The connection ended. `answered` is true when bytes of the answer had come."""

    def __init__(self, message: str, *, answered: bool) -> None:
        super().__init__(message)
        self.answered = answered


class NotHttp(Exception):
    """What came is no HTTP/1.1 answer, or one in a form that was not asked for."""


class BodyTooLarge(Exception):
    """The body, or what it unpacks to, is larger than allowed."""


class Response:
    """A whole answer: status, headers as they came, the body unpacked, and what it came on."""

    __slots__ = ("body", "connection", "headers", "status")

    def __init__(
        self,
        status: int,
        headers: list[tuple[bytes, bytes]],
        body: bytes,
        connection: "HttpConnection",
    ) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        self.connection = connection

    def header(self, name: bytes) -> bytes:
        return next((value for key, value in self.headers if key.lower() == name), b"")


class HttpConnection(asyncio.Protocol):
    """A connection of the pool. `is_vouched`: the chain was asked for on it and was right."""

    def __init__(self, *, max_body_bytes: int) -> None:
        self._max_body_bytes = max_body_bytes
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[Response] | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._headers: list[tuple[bytes, bytes]] = []
        self._chunks: list[bytes] = []
        self._size = 0
        self._head_size = 0
        self._head_done = False
        self.is_open = False
        self.is_vouched = False
        self.idle_since = 0.0

    async def exchange(self, payload: bytes) -> Response:
        """Sends a whole request and waits for the whole answer. Cancelling it closes the
        connection: the answer to come would be taken for that of the next request.
        """
        transport = self._transport
        if not self.is_open or transport is None:
            raise ConnectionDropped("closed while idle", answered=False)
        waiter: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._waiter = waiter
        self._parser = httptools.HttpResponseParser(self)
        self._headers, self._chunks = [], []
        self._size = self._head_size = 0
        self._head_done = False
        transport.write(payload)
        try:
            return await waiter
        finally:
            self._waiter = None
            if not waiter.done() or waiter.cancelled() or waiter.exception() is not None:
                self.abort()

    def abort(self) -> None:
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one without inheriting
        self.is_open = True

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        if parser is None:  # nobody asked: this connection is out of step
            self.abort()
            return
        if not self._head_done:
            self._head_size += len(data)
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(NotHttp("answered something that is not HTTP/1.1"))
        if not self._head_done and self._head_size > _MAX_HEAD_BYTES:
            self._fail(NotHttp(f"its HTTP head is longer than {_MAX_HEAD_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_open = False
        if self._waiter is None:
            return
        if self._head_done and exc is None and not self._is_framed():
            self._finish()  # an answer without a length ends with its connection
            return
        answered = self._head_size > 0
        where = "in the middle of its answer" if answered else "without an answer"
        self._fail(ConnectionDropped(f"closed the connection {where}", answered=answered))

    # httptools

    def on_message_begin(self) -> None:
        if self._parser is None:  # a second answer on the heels of the first
            self.is_open = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._parser is not None:
            self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._head_done = True

    def on_body(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._max_body_bytes:
            self._fail(BodyTooLarge)
        else:
            self._chunks.append(chunk)

    def on_message_complete(self) -> None:
        if self._parser is None:
            return
        if self._parser.get_status_code() < _INFORMATIONAL:  # 100 and 103 come before the answer
            self._headers, self._head_done = [], False
            return
        if not self._parser.should_keep_alive():
            self.is_open = False
        self._finish()

    def _is_framed(self) -> bool:
        names = {name.lower() for name, _ in self._headers}
        return not names.isdisjoint({b"content-length", b"transfer-encoding"})

    def _finish(self) -> None:
        parser, waiter = self._parser, self._waiter
        self._parser = None
        if parser is None or waiter is None or waiter.done():
            return
        response = Response(parser.get_status_code(), self._headers, b"".join(self._chunks), self)
        self._chunks = []
        try:
            _unpack(response, self._max_body_bytes)
        except (NotHttp, BodyTooLarge) as exc:
            waiter.set_exception(exc)
        else:
            waiter.set_result(response)
        if not self.is_open and self._transport is not None:
            self._transport.close()

    def _fail(self, error: Exception | type[Exception]) -> None:
        self._parser = None
        self._chunks = []
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)
        self.abort()


def _unpack(response: Response, max_body_bytes: int) -> None:
    encoding = response.header(b"content-encoding").strip().lower()
    if encoding in {b"", b"identity"}:
        return
    if encoding not in {b"gzip", b"x-gzip"}:
        raise NotHttp("packed its answer in a way that was not asked for (gzip or identity)")
    unpacker = zlib.decompressobj(_GZIP)
    try:
        body = unpacker.decompress(response.body, max_body_bytes + 1)
    except zlib.error:
        raise NotHttp("sent a gzip body that does not unpack") from None
    if len(body) > max_body_bytes:
        raise BodyTooLarge
    if not unpacker.eof or unpacker.unused_data:
        raise NotHttp("sent a gzip body that does not unpack")
    response.body = body
