"""How these tests ask a node: as an ASGI server would, or over a socket."""

import asyncio
import http.client
import json
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from validation.devnode.app import App


@dataclass(frozen=True, slots=True)
class Asked:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def call(method: str, *params: object, ident: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": ident, "method": method, "params": list(params)}


def _encoded(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@dataclass(slots=True)
class Exchange:
    """One ASGI request; the client leaves once it has sent everything."""

    body: bytes
    sent: list[MutableMapping[str, Any]] = field(default_factory=list)
    pieces: list[bytes] | None = None

    async def receive(self) -> MutableMapping[str, Any]:
        if self.pieces is None:
            self.pieces = [self.body[i : i + 65_536] for i in range(0, len(self.body), 65_536)] or [
                b""
            ]
        if not self.pieces:
            return {"type": "http.disconnect"}
        piece = self.pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(self.pieces)}

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)


@dataclass(frozen=True, slots=True)
class Within:
    """A node in this process."""

    app: App

    def post(self, body: object, path: str = "/", method: str = "POST") -> Asked:
        exchange = Exchange(_encoded(body))
        scope = {"type": "http", "method": method, "path": path, "headers": []}
        asyncio.run(self._run(scope, exchange))
        if not exchange.sent:
            return Asked(0, {}, b"")
        start, *rest = exchange.sent
        headers = {name.decode(): value.decode() for name, value in start["headers"]}
        return Asked(start["status"], headers, b"".join(m.get("body", b"") for m in rest))

    async def _run(self, scope: dict[str, Any], exchange: Exchange) -> None:
        await self.app(scope, exchange.receive, exchange.send)

    def get(self, path: str) -> Asked:
        return self.post(b"", path, "GET")

    def result(self, method: str, *params: object) -> Any:
        answer = self.post(call(method, *params)).json
        assert "error" not in answer, answer
        return answer["result"]

    def error(self, method: str, *params: object) -> tuple[int, str]:
        error = self.post(call(method, *params)).json["error"]
        return error["code"], error["message"]

    def control(self, **settings: object) -> Asked:
        return self.post(settings, "/_control")

    @property
    def counters(self) -> dict[str, int]:
        counters: dict[str, int] = self.get("/_control").json["counters"]
        return counters


@dataclass(slots=True)
class Over:
    """A node over loopback, on one kept connection."""

    url: str
    timeout_s: float = 10
    _connection: http.client.HTTPConnection | None = None

    def connection(self) -> http.client.HTTPConnection:
        if self._connection is None:
            parts = urlsplit(self.url)
            assert parts.hostname
            self._connection = http.client.HTTPConnection(
                parts.hostname, parts.port, timeout=self.timeout_s
            )
        return self._connection

    def post(self, body: object, path: str = "/") -> Asked:
        connection = self.connection()
        connection.request("POST", path, _encoded(body))
        with connection.getresponse() as response:
            return Asked(response.status, dict(response.getheaders()), response.read())

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
