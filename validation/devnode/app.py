"""The ASGI application: JSON-RPC at any path, `/_control`, and a line for people at `/`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from random import Random
from typing import Any

import msgspec

from validation.devnode import errors, wire
from validation.devnode.chain import Chain
from validation.devnode.controls import Controls
from validation.devnode.errors import BadSetting, RpcFault
from validation.devnode.faults import Faults, Sleep, hold
from validation.devnode.lies import LIES, Spoken, tell
from validation.devnode.methods import methods
from validation.devnode.truth import stock

type Scope = MutableMapping[str, Any]
type Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
type Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
type App = Callable[[Scope, Receive, Send], Awaitable[None]]

MOST_BODY_BYTES = 2 * 1024 * 1024
_JSON = (b"content-type", b"application/json")


class ClientGone(Exception):
    """The client left before its request was complete."""


def create_app(
    chain: Chain,
    controls: Controls | None = None,
    *,
    random: Random | None = None,
    clock: Callable[[], float] = time.monotonic,
    sleep: Sleep = asyncio.sleep,
    final: int | None = None,
) -> App:
    """The node as an ASGI application; `random`, `clock` and `sleep` decide its faults, `final` is
    the newest block that is final: all of them unless it is said.
    """
    controls = controls or Controls()
    faults = Faults(
        controls,
        random=random or Random(),  # noqa: S311 - faults need no secrecy
        clock=clock,
        sleep=sleep,
    )
    return Node(chain, controls, faults, final=final)


class Node:
    def __init__(
        self, chain: Chain, controls: Controls, faults: Faults, *, final: int | None
    ) -> None:
        self._chain = chain
        self._controls = controls
        self._faults = faults
        self._methods = methods(chain, final=final)
        self._stock = stock(chain, self._methods)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise RuntimeError(f"the devnode speaks HTTP only, not {scope['type']}")
        try:
            if scope["path"] == "/_control":
                await self._control(scope["method"], receive, send)
            elif scope["method"] == "POST":
                await self._rpc(receive, send)
            else:
                await self._page(scope, send)
        except ClientGone:
            return

    async def _rpc(self, receive: Receive, send: Send) -> None:
        counters = self._controls.counters
        counters.requests += 1
        body = await _body(receive)
        if self._controls.settings.plain:  # the fast path: nothing between question and answer
            asked = _decoded(body)
            if isinstance(asked, bytes):
                await _send(send, 200, asked)
                return
            counters.enter(len(asked.calls))
            try:
                await _send_reply(send, wire.reply(asked, self._methods))
            finally:
                counters.leave(len(asked.calls))
            return
        await self._faulty(body, receive, send)

    async def _faulty(self, body: bytes | None, receive: Receive, send: Send) -> None:
        if (wait_s := self._faults.retry_after_s()) is not None:
            fault = RpcFault(errors.LIMIT_EXCEEDED, "limit exceeded: too many requests a second")
            retry = (b"retry-after", b"%d" % wait_s)
            await _send(send, 429, wire.error_bytes(fault), retry)
            return
        asked = _decoded(body)
        count = 0 if isinstance(asked, bytes) else len(asked.calls)
        self._controls.counters.enter(count)
        try:
            if self._faults.never_answers():
                await hold(_gone(receive))
                return
            await self._faults.delay()
            if isinstance(asked, bytes):
                await _send(send, 200, asked)
            else:
                await self._reply(self._faults.spoilt(asked), send)
        finally:
            self._controls.counters.leave(count)

    async def _reply(self, asked: wire.Asked, send: Send) -> None:
        truth = wire.reply(asked, self._methods)
        lie = self._controls.settings.lie
        if lie is None or not truth:
            await _send_reply(send, truth)
            return
        spoken, lies = tell(LIES[lie], asked, truth, self._stock)
        self._controls.counters.lies_told += lies
        await _speak(send, spoken)

    async def _control(self, method: str, receive: Receive, send: Send) -> None:
        if method not in ("GET", "POST"):
            await _send(send, 405, b'{"error":"GET shows, POST sets"}', (b"allow", b"GET, POST"))
            return
        if method == "POST":
            problem = self._set(await _body(receive))
            if problem:
                await _send(send, 422, msgspec.json.encode(problem))
                return
        await _send(send, 200, self._state())

    def _set(self, body: bytes | None) -> dict[str, str] | None:
        """Applies all of it or, where something is wrong, nothing."""
        try:
            wanted = msgspec.json.decode(body or b"", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as exc:
            return {"field": "", "value": "", "error": f"A JSON object of settings: {exc}."}
        try:
            self._controls.settings = self._controls.settings.changed(wanted)
            self._stock.memory.clear()  # whoever lies anew need not stand by an old lie
        except BadSetting as exc:
            return {"field": exc.name, "value": exc.shown, "error": str(exc)}
        return None

    def _state(self) -> bytes:
        chain = self._chain
        return msgspec.json.encode(
            {
                "settings": self._controls.settings,
                "counters": self._controls.counters,
                "chain": {
                    "chain_id": chain.chain_id,
                    "blocks": len(chain.blocks),
                    "transactions": len(chain.transactions),
                    "accounts": len(chain.addresses),
                },
            }
        )

    async def _page(self, scope: Scope, send: Send) -> None:
        if scope["method"] in ("GET", "HEAD") and scope["path"] == "/":
            await _send(send, 200, summary(self._chain).encode(), text=True)
        elif scope["method"] in ("GET", "HEAD"):
            await _send(
                send, 404, b"Nothing here; POST JSON-RPC, or see / and /_control.\n", text=True
            )
        else:
            await _send(send, 405, b"POST JSON-RPC here.\n", (b"allow", b"GET, POST"), text=True)


def summary(chain: Chain) -> str:
    return (
        f"Switchyard devnode: chain {chain.chain_id}, {len(chain.blocks)} blocks,"
        f" {len(chain.transactions)} transactions, {len(chain.addresses)} accounts."
        " POST JSON-RPC here; faults and lies at /_control.\n"
    )


def _decoded(body: bytes | None) -> wire.Asked | bytes:
    """What is asked, or the error that answers the whole body."""
    if body is None:
        why = f"limit exceeded: the body is longer than {MOST_BODY_BYTES} bytes"
        return wire.error_bytes(RpcFault(errors.LIMIT_EXCEEDED, why))
    try:
        return wire.decode(body)
    except RpcFault as fault:
        return wire.error_bytes(fault)


async def _body(receive: Receive) -> bytes | None:
    """None where it is longer than the bound; what follows is then read and thrown away."""
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        return body if len(body) <= MOST_BODY_BYTES else None
    chunks, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size <= MOST_BODY_BYTES:
            chunks.append(chunk)
    return b"".join(chunks) if size <= MOST_BODY_BYTES else None


def _gone(receive: Receive) -> Callable[[], Awaitable[None]]:
    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    return gone


async def _send(
    send: Send, status: int, body: bytes, *headers: tuple[bytes, bytes], text: bool = False
) -> None:
    kind = (b"content-type", b"text/plain; charset=utf-8") if text else _JSON
    length = (b"content-length", b"%d" % len(body))
    await send(
        {"type": "http.response.start", "status": status, "headers": [kind, length, *headers]}
    )
    await send({"type": "http.response.body", "body": body})


async def _send_reply(send: Send, reply: bytes) -> None:
    # Notifications alone get no answer, which over HTTP is an answer without content.
    await _send(send, 200 if reply else 204, reply)


async def _speak(send: Send, spoken: Spoken) -> None:
    headers = [(b"content-type", spoken.content_type), *spoken.headers]
    if isinstance(spoken.chunks, tuple):
        headers.append((b"content-length", b"%d" % sum(map(len, spoken.chunks))))
    await send({"type": "http.response.start", "status": spoken.status, "headers": headers})
    for chunk in spoken.chunks:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
