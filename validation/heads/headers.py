"""Asks a node for headers and believes no header that does not hash to its own hash."""

from collections.abc import Iterable
from typing import Any

import msgspec

from validation.rpc import Call, CallRefused
from validation.rpc.answers import Answer, read_lean_block
from validation.validators import Fetcher
from validation.validators.header import header_hash
from validation.validators.outcome import BlockRef

AT_ONCE = 64
"""Headers that may be asked for in one round trip."""

_NEWEST = Call("eth_getBlockByNumber", ("latest", False), read_lean_block)
_FINAL = Call("eth_getBlockByNumber", ("finalized", False), read_lean_block)


class Dubious(Exception):
    """What a node said of the chain is malformed or contradicts itself: nothing follows from it."""


class Head(msgspec.Struct, frozen=True):
    """A block by its place: what is needed to follow a chain."""

    number: int
    hash: str
    parent: str

    @property
    def ref(self) -> BlockRef:
        return BlockRef(number=self.number, hash=self.hash)


class Headers:
    """Every question costs one round trip, and is put to a node, never to a cache."""

    def __init__(self, fetcher: Fetcher, *, timeout_s: float) -> None:
        self._fetcher = fetcher
        self._timeout_s = timeout_s

    async def newest(self, *, with_final: bool) -> tuple[Head, Head | None]:
        """The head, and the newest final block where it is asked for and the node knows one."""
        if with_final:
            try:
                head, final = await self._ask(_NEWEST, _FINAL)
            except CallRefused:  # by nodes from before the tag; which call it was is not said
                (head,), final = await self._ask(_NEWEST), None
        else:
            (head,), final = await self._ask(_NEWEST), None
        if head is None:
            raise Dubious("the newest block is null")
        if final is not None and final.number > head.number:
            raise Dubious(f"final block {final.number} is above the head {head.number}")
        return head, final

    async def by_number(self, numbers: Iterable[int]) -> dict[int, Head]:
        """Those of `numbers` that the node has, all from one node."""
        asked = list(numbers)
        if not asked:
            return {}
        calls = (
            Call("eth_getBlockByNumber", (hex(number), False), read_lean_block) for number in asked
        )
        heads = await self._ask(*calls)
        for number, head in zip(asked, heads, strict=True):
            if head is not None and head.number != number:
                raise Dubious(f"asked for block {number}, got {head.number}")
        return {head.number: head for head in heads if head is not None}

    async def by_hash(self, block: BlockRef) -> Head:
        (head,) = await self._ask(Call("eth_getBlockByHash", (block.hash, False), read_lean_block))
        if head is None:
            raise Dubious(f"the node does not have block {block.hash}, which it named as a parent")
        if head.ref != block:
            raise Dubious(f"asked for block {block.number} {block.hash}, got {head.ref}")
        return head

    async def _ask(self, *calls: Call) -> tuple[Head | None, ...]:
        reply = await self._fetcher.fetch(calls, timeout_s=self._timeout_s, fresh=True)
        return tuple(map(_read, reply.values))


def _read(answer: Any) -> Head | None:
    if answer is None:
        return None
    if not isinstance(answer, Answer):
        raise Dubious(f"a header is malformed: {answer.detail}")
    block = answer.value
    own = block.hash.lower()
    # A field that nobody here knows may be part of the header: then its hash proves nothing.
    if not answer.unknown and header_hash(block) != own:
        raise Dubious(f"the header of block {block.number} does not hash to {own}")
    return Head(int(block.number, 16), own, block.parent_hash.lower())
