"""What a node said of an item itself, to be held against the truth, and what others say, kept."""

from collections.abc import Sequence
from typing import Any

import msgspec

from validation.rpc import Call, Reply
from validation.validators import Heard, Others

type Said = tuple[Any, ...]

_BLOCKS = frozenset({"eth_getBlockByNumber", "eth_getBlockByHash"})


def of_item(heard: Sequence[Heard], *, is_account: bool) -> Said:
    """Of a transaction or block: the answers to the first questions. Of an account: all that was
    answered about it, and the hashes of the blocks that it was asked at, in which no more than the
    header concerns it. Empty where nothing was heard.
    """
    if not is_account:
        return tuple(map(msgspec.json.decode, heard[0].reply.raws)) if heard else ()
    return tuple(
        _of_account(call, raw)
        for one in heard
        for call, raw in zip(one.calls, one.reply.raws, strict=True)
    )


def _of_account(call: Call, raw: bytes) -> Any:
    value = msgspec.json.decode(raw)
    return value.get("hash") if call.method in _BLOCKS and isinstance(value, dict) else value


class Remembered:
    """`Others` who are asked each question once, however often a drill comes to it."""

    def __init__(self, others: Others) -> None:
        self._others = others
        self._replies: dict[tuple[str, bytes], Reply] = {}

    def labels(self) -> tuple[str, ...]:
        return self._others.labels()

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        asked = msgspec.json.encode([(call.method, call.params) for call in calls])
        if (node, asked) not in self._replies:
            reply = await self._others.fetch_from(node, calls, timeout_s=timeout_s)
            self._replies[node, asked] = reply
        return self._replies[node, asked]
