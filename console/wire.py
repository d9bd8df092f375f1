"""ASGI as the raw applications here speak it: its types, a short refusal, a cut connection."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

type Scope = MutableMapping[str, Any]
type Message = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[Message]]
type Send = Callable[[Message], Awaitable[None]]
type Headers = list[tuple[bytes, bytes]]


class Refused(Exception):
    """A request that nobody works on. `closes`: its body was not read, the connection ends too."""

    def __init__(self, status: int, reason: str, *, closes: bool = False) -> None:
        self.status = status
        self.closes = closes
        super().__init__(reason)


async def refuse(
    scope: Scope, send: Send, status: int, reason: str, *, closes: bool = False
) -> None:
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
    if closes:
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
