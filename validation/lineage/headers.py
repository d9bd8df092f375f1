"""Asks for headers by number and believes none that does not hash to its own hash."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from validation.rpc import Call
from validation.rpc.answers import Answer, Unreadable, read_header
from validation.validators.asking import Ask, Heard
from validation.validators.header import header_hash

A_FETCH = 64
AT_ONCE = 256
"""Headers of one round, in fetches that run side by side."""


class Rung(NamedTuple):
    """A header, as far as linking goes. `hash` was computed here."""

    hash: str
    parent: str
    node: str


class Unlinked(Exception):
    """No way leads past the block at number `at`."""

    def __init__(self, detail: str, *, at: int) -> None:
        super().__init__(detail)
        self.at = at


class Broken(Unlinked):
    """The headers do not hang together. `node` alone can be to blame; None: that is not known."""

    def __init__(
        self, detail: str, *, at: int, node: str | None, computed: str = "", claimed: str = ""
    ) -> None:
        super().__init__(detail, at=at)
        self.node = node
        self.computed = computed
        self.claimed = claimed


class Untold(Unlinked):
    """It cannot be told whether they do: the reason's code, and a sentence."""

    def __init__(self, reason: str, text: str, *, at: int) -> None:
        super().__init__(text, at=at)
        self.reason = reason


class Headers:
    """`kept`: the answers become evidence, `heard`."""

    def __init__(self, ask: Ask, *, kept: bool) -> None:
        self.fetcher = ask.fetcher
        self.fresh = ask.fresh
        self.heard: list[Heard] = []
        self._kept = kept

    async def at(self, numbers: Sequence[int], *, fresh: bool) -> list[Rung | None]:
        """In the order of `numbers`, at most `AT_ONCE`; None where the node has no such block."""
        parts = [numbers[i : i + A_FETCH] for i in range(0, len(numbers), A_FETCH)]
        asked = await asyncio.gather(
            *(self._part(part, fresh=fresh) for part in parts), return_exceptions=True
        )
        failed = next((one for one in asked if isinstance(one, BaseException)), None)
        if failed is not None:
            raise failed
        found: list[Rung | None] = []
        for heard, part in zip(asked, parts, strict=True):
            if isinstance(heard, BaseException):
                continue  # was raised
            if self._kept:
                self.heard.append(heard)
            for number, value in zip(part, heard.reply.values, strict=True):
                found.append(_rung(number, value, heard.reply.node))
            await asyncio.sleep(0)  # two milliseconds of hashes: others get a turn
        return found

    async def _part(self, numbers: Sequence[int], *, fresh: bool) -> Heard:
        calls = tuple(
            Call("eth_getBlockByNumber", (hex(number), False), read_header) for number in numbers
        )
        return Heard(calls, await self.fetcher.fetch(calls, fresh=fresh or self.fresh))


def _rung(number: int, value: Answer | Unreadable | None, node: str) -> Rung | None:
    if value is None:
        return None
    if isinstance(value, Unreadable):
        text = f"the header of block {number} is malformed: {value.detail}"
        raise Untold("malformed_header", text, at=number)
    header = value.value
    computed, claimed = header_hash(header), header.hash.lower()
    if computed != claimed:
        if value.unknown:
            fields = ", ".join(value.unknown)
            text = f"the header of block {number} has fields that nothing here can hash: {fields}"
            raise Untold("unknown_field", text, at=number)
        text = f"the header of block {number} hashes to {computed}, {node} says {claimed}"
        raise Broken(text, at=number, node=node, computed=computed, claimed=claimed)
    if int(header.number, 16) != number:
        text = f"asked for block {number}, {node} gives {int(header.number, 16)}"
        told = str(int(header.number, 16))
        raise Broken(text, at=number, node=node, computed=str(number), claimed=told)
    return Rung(computed, header.parent_hash.lower(), node)
