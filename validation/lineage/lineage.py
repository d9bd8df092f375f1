"""What links blocks to a checkpoint, remembered for all items of an engine."""

import asyncio
from typing import NamedTuple

from validation.checkpoint import Checkpoint
from validation.lineage.headers import Broken, Headers, Rung, Untold
from validation.lineage.walks import Downwards, Upwards, not_served
from validation.rpc import RpcError
from validation.validators.asking import Ask

MOST_LINKS = 8_192
"""A day of blocks, and a megabyte of hashes either way."""
_SHOWN_LINKS = 512
"""As many headers are kept as evidence that a block is not linked; more would fill a table."""


class Link(NamedTuple):
    """Linked, or flawed, or skipped: `skip_text` is for a person. `links` is how many headers lie
    between block and checkpoint. Only `node` can be to blame for a flaw; None: that is not known.
    """

    ok: bool
    flaw: str = ""
    skip_reason: str = ""
    skip_text: str = ""
    links: int = 0
    node: str | None = None
    computed: str = ""
    claimed: str = ""


class Lineage:
    """One an engine, in its event loop. What it remembers was computed from headers: 32 bytes a
    block, as hex. One walk at a time; whoever comes late finds the way walked.
    """

    def __init__(self, checkpoint: Checkpoint, *, most_links: int = MOST_LINKS) -> None:
        self.checkpoint = checkpoint
        self._most_links = most_links
        self._up = Upwards(checkpoint)
        self._down = Downwards(checkpoint)
        self._lock = asyncio.Lock()
        self._walks = 0
        self._error: RpcError | None = None

    def is_known(self, number: int, block_hash: str) -> bool:
        """Whether the block was linked before; the hash in lower case."""
        return self._at(number) == block_hash

    async def link(self, number: int, block_hash: str, ask: Ask) -> Link:
        """Links a block; the hash in lower case. RpcError where no node gives the headers.

        The headers that it asks for become evidence of the item where it is the first of all and
        explains itself, and where they show a flaw that was looked into afresh.
        """
        links = abs(number - self.checkpoint.number)
        if self.is_known(number, block_hash):
            return Link(ok=True, links=links)
        if links > self._most_links:
            return self._too_far(number, links)
        kept = ask.explain and not self._walks
        link = await self._settled(number, block_hash, Headers(ask, kept=kept))
        if link.flaw and ask.fresh and links <= _SHOWN_LINKS and not kept:
            return await self._shown(number, block_hash, ask)
        return link

    async def _shown(self, number: int, block_hash: str, ask: Ask) -> Link:
        """All the way once more, on the item's own account."""
        alone = Lineage(self.checkpoint, most_links=self._most_links)
        return await alone._settled(number, block_hash, Headers(ask, kept=True))

    async def _settled(self, number: int, block_hash: str, headers: Headers) -> Link:
        links = abs(number - self.checkpoint.number)
        try:
            stands = await self._standing(number, headers)
        except Untold as untold:
            return Link(ok=False, skip_reason=untold.reason, skip_text=f"{untold}.", links=links)
        except Broken as broken:
            return Link(
                ok=False,
                flaw=str(broken),
                links=links,
                node=broken.node,
                computed=broken.computed,
                claimed=broken.claimed,
            )
        if stands == block_hash:
            return Link(ok=True, links=links)
        trusted = self.checkpoint.number
        text = f"in the chain linked to checkpoint {trusted}, block {number} is {stands}"
        flaw = f"{text}, not {block_hash}"
        return Link(ok=False, flaw=flaw, links=links, computed=stands, claimed=block_hash)

    async def _standing(self, number: int, headers: Headers) -> str:
        """The hash of the block that stands at `number`, where another is asked about than the
        one that was known to.
        """
        known = self._at(number)
        if not known:
            return await self._walked(number, headers)
        if number < self.checkpoint.number:
            return known  # no chain that leads to the checkpoint has another
        (rung,) = await headers.at([number], fresh=True)
        if rung is None:
            raise not_served(number)
        return known if rung.hash == known else await self._walked(number, headers, moved_to=rung)

    async def _walked(self, number: int, headers: Headers, moved_to: Rung | None = None) -> str:
        begun = self._walks
        async with self._lock:
            if self._walks != begun and self._error is not None:
                # The walk that this one waited for: it would ask the same nodes once more.
                raise self._error.clone()
            try:
                await self._walk(number, headers, moved_to)
                self._error = None
            except RpcError as error:
                self._error = error
                raise
            finally:
                self._walks += 1
            return self._at(number)

    async def _walk(self, number: int, headers: Headers, moved_to: Rung | None) -> None:
        if number < self.checkpoint.number:
            await self._down.reach(number, headers)
            return
        if moved_to is not None and self._up.at(number) not in {"", moved_to.hash}:
            self._up.drop_from(number, moved_to)
        await self._up.reach(number, headers)

    def _at(self, number: int) -> str:
        way = self._up if number >= self.checkpoint.number else self._down
        return way.at(number)

    def _too_far(self, number: int, links: int) -> Link:
        at = self.checkpoint.number
        text = (
            f"block {number} is {links:,} blocks from the checkpoint at {at}, and at most"
            f" {self._most_links:,} headers are linked: set CHECKPOINT to a block nearer to it."
        )
        return Link(ok=False, skip_reason="too_far_from_checkpoint", skip_text=text, links=links)


def lineage_to(checkpoint: Checkpoint | None) -> Lineage | None:
    """None where nothing is trusted."""
    return None if checkpoint is None else Lineage(checkpoint)
