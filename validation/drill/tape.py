"""A node's true answers: asked once, then played back as often as a drill needs them."""

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

from validation.devnode.lies import Stock, TrueStock
from validation.devnode.wire import Asked
from validation.devnode.wire import Call as AskedCall
from validation.rpc import Call, CallRefused, RpcClient

MOST_CALLS = 9_000
"""Nearly all of them are headers, asked 64 at a time, where the checkpoint is far."""
_OVER = b'"error":{"code":-32000,"message":"the drill asks the node no more than it has"}'

type _Key = tuple[str, bytes]


class Truth(Protocol):
    """Who is asked beneath the lies."""

    async def reply(self, asked: Asked) -> bytes:
        """The whole reply, true and well-formed. RpcError where the node gives none."""

    def stock(self) -> Stock:
        """What lies are made of, with nothing said yet."""


class Tape:
    """`Truth` of any node. Bounded: at most `most_calls` calls are passed on to it."""

    def __init__(self, client: RpcClient, *, most_calls: int = MOST_CALLS) -> None:
        self._client = client
        self._left = most_calls
        self._answers: dict[_Key, bytes] = {}
        self.asked = 0
        """Calls that were passed on."""
        self.proved_at = 0
        self.addresses: list[str] = []

    async def ask(self, method: str, *params: object) -> Any:
        """The node's result, decoded; None where it is null or an error."""
        await self._hear(method, params)
        raw = self.known(method, params)
        return None if raw is None else msgspec.json.decode(raw)

    def known(self, method: str, params: Sequence[object]) -> bytes | None:
        """The JSON of a result that was heard."""
        member = self._answers.get(_key(method, params), b"")
        name, _, raw = member.partition(b":")
        return raw if name == b'"result"' and raw != b"null" else None

    def stock(self) -> Stock:
        return TrueStock(known=self.known, proved_at=self.proved_at, addresses=self.addresses)

    async def reply(self, asked: Asked) -> bytes:
        calls = [call for call in asked.answered() if isinstance(call, AskedCall)]
        await asyncio.gather(*(self._hear(call.method, call.params) for call in calls))
        answers = [
            b'{"jsonrpc":"2.0","id":%b,%b}'
            % (bytes(call.id), self._answers.get(_key(call.method, call.params), _OVER))
            for call in calls
        ]
        return b"[%b]" % b",".join(answers) if asked.batch else answers[0]

    async def _hear(self, method: str, params: Sequence[object]) -> None:
        key = _key(method, params)
        if key in self._answers or self._left <= 0:
            return
        self._left -= 1
        self.asked += 1
        try:
            reply = await self._client.fetch([Call(method, tuple(params), bytes)])
        except CallRefused as refused:
            error = {"code": refused.code, "message": str(refused)}
            self._answers[key] = b'"error":%b' % msgspec.json.encode(error)
        else:
            self._answers[key] = b'"result":%b' % reply.values[0]


def _key(method: str, params: Sequence[object]) -> _Key:
    return method, msgspec.json.encode(params)
