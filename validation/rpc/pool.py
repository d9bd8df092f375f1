"""The connections to one node: kept or one a request, dialled to checked addresses."""

import asyncio
import contextlib
import errno
import functools
import os
import socket
import ssl
import time
from collections.abc import Callable
from ipaddress import ip_address

from validation.rpc.config import RpcConfig
from validation.rpc.connection import ConnectionDropped, HttpConnection, Response
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import AddressRefused, NodeUnreachable
from validation.rpc.seams import Gate


class NodePool:
    """How many connections are in use is bounded by its callers: the lane lets no more requests go
    out at once than its limits say.
    """

    def __init__(
        self,
        node: NodeUrl,
        config: RpcConfig,
        *,
        tls: Callable[[], ssl.SSLContext],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._config = config
        self._tls = tls
        self._clock = clock
        self._head = _request_head(node)
        self._most_kept = config.max_connections
        self._idle: list[HttpConnection] = []
        self._open: set[HttpConnection] = set()
        self.dialled = 0

    def has_vouched_idle(self) -> bool:
        """True when the next request will go out on a connection whose chain is known."""
        self._drop_dead()
        return bool(self._idle) and self._idle[-1].is_vouched

    def keep(self, most: int) -> None:
        """So many connections are open at most once they are not in use; 0: each is closed after
        its answer, and the node is told so beforehand.
        """
        self._most_kept = most
        self._head = _request_head(self._node, closes=not most)
        while self._idle and len(self._open) > most:
            self._discard(self._idle.pop(0))

    def sockets(self) -> tuple[int, int]:
        """Connections in use, and idle."""
        idle = len(self._idle)
        return max(0, len(self._open) - idle), idle

    async def request(self, body: bytes, gate: Gate) -> Response:
        """One exchange. A connection that died while idle is replaced at once by a new one: what
        this client asks only reads, so asking twice is safe.
        """
        payload = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        self._drop_dead()
        while self._idle:
            connection = self._idle.pop()
            try:
                return await self._exchange(connection, payload, gate)
            except ConnectionDropped as exc:
                if exc.answered:
                    raise
        return await self._exchange(await self._dial(), payload, gate)

    def close_idle(self) -> None:
        while self._idle:
            self._discard(self._idle.pop())

    def close(self) -> None:
        for connection in tuple(self._open):
            connection.abort()
        self._idle.clear()
        self._open.clear()

    async def _exchange(self, connection: HttpConnection, payload: bytes, gate: Gate) -> Response:
        try:
            gate()  # after whatever took time, such as dialling
            return await connection.exchange(payload)
        finally:
            if connection.is_open and len(self._open) > self._most_kept:
                self._discard(connection)
            elif connection.is_open:
                connection.idle_since = self._clock()
                self._idle.append(connection)
            else:
                self._open.discard(connection)

    def _drop_dead(self) -> None:
        """Forgets connections that the node closed or that idled for too long (oldest first)."""
        oldest = self._clock() - self._config.idle_timeout_s
        while self._idle and (not self._idle[-1].is_open or self._idle[-1].idle_since < oldest):
            self._discard(self._idle.pop())
        while self._idle and (not self._idle[0].is_open or self._idle[0].idle_since < oldest):
            self._discard(self._idle.pop(0))

    def _discard(self, connection: HttpConnection) -> None:
        connection.abort()
        self._open.discard(connection)

    async def _dial(self) -> HttpConnection:
        try:
            async with asyncio.timeout(self._config.connect_timeout_s):
                return await self._connect(await self._addresses())
        except TimeoutError:
            raise NodeUnreachable(
                f"no connection within {self._config.connect_timeout_s:g} s", node=self._node.label
            ) from None

    async def _addresses(self) -> list[str]:
        """What the name resolves to now, every address checked. The connection is made to one of
        these very addresses, so that a name which changes its mind gains nothing.
        """
        host, port = self._node.host, self._node.port
        with contextlib.suppress(ValueError):
            return self._checked([str(ip_address(host))])
        loop = asyncio.get_running_loop()
        try:
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as exc:
            raise NodeUnreachable(
                f"the host name does not resolve ({_words(exc)})", node=self._node.label
            ) from None
        return self._checked(list(dict.fromkeys(str(info[4][0]) for info in found)))

    def _checked(self, addresses: list[str]) -> list[str]:
        for address in addresses:
            refusal = self._config.policy.refusal(address)
            if refusal:
                raise AddressRefused(f"{address} is {refusal}", node=self._node.label)
        return addresses

    async def _connect(self, addresses: list[str]) -> HttpConnection:
        secure = self._node.scheme == "https"
        failure: OSError | None = None
        for address in addresses:
            try:
                _, connection = await asyncio.get_running_loop().create_connection(
                    functools.partial(HttpConnection, max_body_bytes=self._config.max_body_bytes),
                    address,
                    self._node.port,
                    ssl=self._tls() if secure else None,
                    server_hostname=self._node.host if secure else None,
                )
            except OSError as exc:  # ssl.SSLError and ConnectionError among them
                failure = exc
                continue
            self.dialled += 1
            self._open.add(connection)
            return connection
        what = "TLS" if isinstance(failure, ssl.SSLError) else "connection"
        raise NodeUnreachable(
            f"no {what} to {', '.join(addresses) or 'it'}: {_words(failure)}", node=self._node.label
        ) from None


def _words(failure: BaseException | None) -> str:
    """The system's words for a failure, which never include the URL."""
    if isinstance(failure, ssl.SSLCertVerificationError):
        return f"certificate refused, {failure.verify_message}"
    if isinstance(failure, OSError) and failure.errno:
        known = failure.errno in errno.errorcode
        return (os.strerror(failure.errno) if known else failure.strerror or "unknown").lower()
    return type(failure).__name__


def _request_head(node: NodeUrl, *, closes: bool = False) -> bytes:
    lines = [
        f"POST {node.target} HTTP/1.1",
        f"Host: {node.authority}",
        "User-Agent: switchyard",
        "Accept: application/json",
        "Accept-Encoding: gzip",
        "Content-Type: application/json",
    ]
    if closes:
        lines.append("Connection: close")
    if node.authorization:
        lines.append(f"Authorization: {node.authorization}")
    return ("\r\n".join(lines) + "\r\nContent-Length: ").encode("ascii")
