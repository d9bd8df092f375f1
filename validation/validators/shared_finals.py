"""Whether a block is final by the word of the nodes, asked once for all items of a block.

Each node is asked two things at once: its newest final block, and the block at the height. What a
header says counts only where it hashes to its hash.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from validation.rpc import Call, Reply, RpcError
from validation.rpc.answers import Answer, read_header
from validation.rpc.schema import Header
from validation.validators.header import header_hash
from validation.validators.heard import Heard
from validation.validators.sharing import Made, Shared

if TYPE_CHECKING:
    from validation.validators.asking import Ask

FINAL_TAG: Final = "finalized"
_MOST_BYTES: Final = 1 << 20
_ASK_S: Final = 5.0
"""As long as another node may take to say what it thinks final."""


class Standing(NamedTuple):
    """Final by the word of `agreed`; else why not. `reason` empty: `text` is a flaw, not a skip."""

    agreed: tuple[str, ...] = ()
    reason: str = ""
    text: str = ""
    computed: str = ""


class SharedFinals:
    """By block; what is final stays so. One to an engine."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._known: Shared[Standing] = Shared(most_bytes=_MOST_BYTES, clock=clock)

    async def of(self, number: int, block_hash: str, ask: "Ask") -> Standing:
        """`block_hash` in lower case. RpcError where the first node gives no answer."""

        async def make(block_hash: str, ask: "Ask") -> Made[Standing]:
            return await _looked(number, block_hash, ask)

        return await self._known.of(block_hash, ask, make)


class _Said(NamedTuple):
    """What one node said: its hash at the height, where that is final to it; else why not."""

    node: str
    hash: str = ""
    why_not: str = ""
    reason: str = ""


async def _looked(number: int, block_hash: str, ask: "Ask") -> Made[Standing]:
    calls = (
        Call("eth_getBlockByNumber", (FINAL_TAG, False), read_header),
        Call("eth_getBlockByNumber", (hex(number), False), read_header),
    )
    reply = await ask.fetcher.fetch(calls, fresh=True)
    heard = [Heard(calls, reply)]
    own = _said(number, reply)
    standing = _own_flaw(number, block_hash, own)
    if standing is None:
        others = ask.grounds.others
        labels = [] if others is None else [n for n in others.labels() if n != own.node]
        replies = await asyncio.gather(*(_asked(label, calls, ask) for label in labels))
        heard += [Heard(calls, one) for one in replies if isinstance(one, Reply)]
        theirs = [_said(number, one) if isinstance(one, Reply) else one for one in replies]
        standing = _weighed(number, block_hash, own, theirs)
    size = sum(len(raw) for one in heard for raw in one.reply.raws) + 1
    return Made(standing, tuple(heard), size if standing.agreed else 0)


async def _asked(label: str, calls: Sequence[Call], ask: "Ask") -> Reply | _Said:
    others = ask.grounds.others
    assert others is not None  # noqa: S101 - it gave the label
    try:
        return await others.fetch_from(label, calls, timeout_s=_ASK_S)
    except RpcError as error:
        return _Said(label, why_not=f"did not answer ({error.reason})", reason="others_silent")


def _said(number: int, reply: Reply) -> _Said:
    node = reply.node
    final, block = map(_sound, reply.values)
    if final is None:
        return _Said(node, why_not="names no final block", reason="no_finalized_tag")
    newest = int(final.number, 16)
    if newest < number:
        return _Said(
            node, why_not=f"has block {newest} as its newest final", reason="not_final_yet"
        )
    if block is None or int(block.number, 16) != number:
        return _Said(node, why_not=f"gives no sound block {number}", reason="header_not_served")
    return _Said(node, hash=block.hash.lower())


def _sound(answer: Any) -> Header | None:
    """None for a header that does not hash to its own hash, or is none: nothing follows from it."""
    if not isinstance(answer, Answer):
        return None
    header: Header = answer.value
    return header if header_hash(header) == header.hash.lower() else None


def _own_flaw(number: int, block_hash: str, own: _Said) -> Standing | None:
    if own.reason:
        return Standing(reason=own.reason, text=f"block {number}: {own.node} {own.why_not}")
    if own.hash != block_hash:
        text = f"the final block {number} of {own.node} is {own.hash}, not {block_hash}"
        return Standing(text=text, computed=own.hash)
    return None


def _weighed(number: int, block_hash: str, own: _Said, theirs: Sequence[_Said]) -> Standing:
    differs = [said for said in theirs if said.hash not in {"", block_hash}]
    if differs:
        said = ", ".join(f"{one.node} says {one.hash}" for one in differs)
        text = f"block {number}: {own.node} says {block_hash} is final, {said}"
        return Standing(reason="final_disputed", text=text)
    agreed = [said.node for said in theirs if said.hash]
    if agreed:
        return Standing(agreed=(own.node, *agreed))
    if not theirs:
        text = f"{own.node} says that block {number} is final, and there is no other node to ask"
        return Standing(reason="no_other_node", text=text)
    said = ", ".join(f"{one.node} {one.why_not}" for one in theirs)
    reason = "not_final_yet" if any(one.reason == "not_final_yet" for one in theirs) else ""
    text = f"{own.node} says that block {number} is final; {said}"
    return Standing(reason=reason or "others_silent", text=text)
