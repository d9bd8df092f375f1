"""An ASGI caller without a server, and people to call as."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from console.wire import Message, Receive, Scope, Send
from tests.access.conftest import (  # noqa: F401 - fixtures, found by name
    clients,
    people,
    quick_passwords,
    static_root,
)
from tests.api.conftest import finished_run  # noqa: F401 - as below

type App = Callable[[Scope, Receive, Send], Awaitable[None]]


@dataclass
class Call:
    """One request to an ASGI application: what it is sent, what it answered so far."""

    path: str = "/"
    method: str = "GET"
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Iterable[bytes] = ()
    messages: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.gone = asyncio.Event()
        self.said = asyncio.Event()
        self._body = iter(self.body)
        # Cleared, the client takes nothing: what a full socket does to a server.
        self.reads = asyncio.Event()
        self.reads.set()
        self.transport = Transport()

    @property
    def scope(self) -> dict[str, Any]:
        return {
            "type": "http",
            "http_version": "1.1",
            "method": self.method,
            "scheme": "http",
            "path": self.path,
            "raw_path": self.path.encode(),
            "query_string": self.query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in self.headers.items()],
            "client": ("192.0.2.9", 1234),
            "server": ("localhost", 8000),
        }

    async def receive(self) -> Message:
        part = next(self._body, None)
        if part is not None:
            return {"type": "http.request", "body": part, "more_body": True}
        if self._ended_body():
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.gone.wait()
        return {"type": "http.disconnect"}

    def _ended_body(self) -> bool:
        ended = bool(self.headers.get("Content-Length") or self.headers.get("Transfer-Encoding"))
        self.headers = {}
        return ended

    async def send(self, message: Message) -> None:
        await self.reads.wait()
        self.messages.append(message)
        self.said.set()

    async def to(self, app: App) -> "Call":
        await app(self.scope, self.receive, self.send)
        return self

    async def until(self, text: str) -> str:
        """Everything said once `text` was said."""
        async with asyncio.timeout(10):
            while text not in self.text:
                self.said.clear()
                await self.said.wait()
        return self.text

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def answered(self) -> dict[str, str]:
        return {k.decode(): v.decode() for k, v in self.messages[0]["headers"]}

    @property
    def text(self) -> str:
        return b"".join(m.get("body", b"") for m in self.messages[1:]).decode()

    @property
    def is_complete(self) -> bool:
        return not self.messages[-1].get("more_body", False)


class Transport:
    """What `abort` cuts: uvicorn hangs its own on the object that `send` belongs to."""

    def __init__(self) -> None:
        self.cut = asyncio.Event()

    @property
    def aborted(self) -> bool:
        return self.cut.is_set()

    def abort(self) -> None:
        self.cut.set()
