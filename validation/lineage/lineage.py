"""What links blocks to a checkpoint, remembered for all items of an engine."""

import asyncio
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from validation.checkpoint import Checkpoint
from validation.lineage.failures import Failures
from validation.lineage.headers import Broken, Headers, Rung, Unlinked, Untold
from validation.lineage.walks import Downwards, Upwards, not_served
from validation.rpc import DeadlineExceeded, RpcError
from validation.validators.asking import Ask, Heard
from validation.validators.grounds import Finality
from validation.validators.sharing import Made, Shared

MOST_LINKS = 8_192
"""A day of blocks, and a megabyte of hashes either way."""
_SHOWN_LINKS = 512
"""As many headers are kept as evidence that a block is not linked; more would fill a table."""
_SHOWN_AT_ONCE = 4
_SEEN_S: Final = 2.0
"""As long as a block that is not final yet is taken to stand where it was seen."""
_WALK_S: Final = 20.0
"""As long as one item waits for its way, however slowly headers come. What was walked until then
stays walked."""


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

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        most_links: int = MOST_LINKS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.checkpoint = checkpoint
        self._most_links = most_links
        self._clock = clock
        self._up = Upwards(checkpoint)
        self._down = Downwards(checkpoint)
        self._lock = asyncio.Lock()
        self._walks = 0
        self._showing = 0
        self._failures = Failures(clock)
        self._seen_at = clock()
        """When what is known above the checkpoint was last seen to stand, all of it."""
        self._links: Shared[Link] = Shared(most_bytes=1 << 20, clock=clock)
        self._tops: Shared[bool] = Shared(most_bytes=0, clock=clock)

    def is_known(self, number: int, block_hash: str) -> bool:
        """Whether the block was linked before; the hash in lower case."""
        return self._at(number) == block_hash

    async def link(self, number: int, block_hash: str, ask: Ask) -> Link:
        """Links a block; the hash in lower case. RpcError where no node gives the headers.

        The headers that it asks for become evidence of the item where it is the first of all and
        explains itself, and where they show a flaw that was looked into afresh.
        """
        links = abs(number - self.checkpoint.number)
        if await self._still_stands(number, block_hash, ask):
            return Link(ok=True, links=links)
        if links > self._most_links:
            return self._too_far(number, links)

        async def make(_: str, ask: Ask) -> Made[Link]:
            return await self._looked(number, block_hash, ask)

        return await self._links.of(f"{number}:{block_hash}", ask, make)

    async def _still_stands(self, number: int, block_hash: str, ask: Ask) -> bool:
        """Whether the block was linked, and nothing says that the chain has moved since: else one
        process would call valid what another calls invalid.
        """
        if not self.is_known(number, block_hash):
            return False
        if number <= self.checkpoint.number:
            return True  # no chain that leads to the checkpoint has another
        finality = ask.grounds.finality
        if ask.fresh or (finality is not None and finality.is_orphaned(block_hash)):
            return False
        if _is_final(number, finality) or self._is_seen():
            return True
        # Where the topmost block that is known still stands, so do all below it.
        await self._tops.of("", ask, self._top_stands)
        return self._is_seen() and self.is_known(number, block_hash)

    def _is_seen(self) -> bool:
        return self._clock() - self._seen_at <= _SEEN_S

    async def _top_stands(self, _: str, ask: Ask) -> Made[bool]:
        top = self._up.top
        try:
            (rung,) = await Headers(ask, kept=False).at([top], fresh=True)
        except Unlinked:
            return Made(False, (), 0)  # the block's own height is asked for next
        if rung is None or rung.hash != self._up.at(top):
            return Made(False, (), 0)
        self._seen_at = self._clock()
        return Made(True, (), 0)

    async def _looked(self, number: int, block_hash: str, ask: Ask) -> Made[Link]:
        links = abs(number - self.checkpoint.number)
        headers = Headers(ask, kept=ask.explain and not self._walks)
        link = await self._settled(number, block_hash, headers)
        heard = headers.heard
        if link.flaw and ask.fresh and links <= _SHOWN_LINKS and not heard:
            shown = await self._shown(number, block_hash, ask)
            if shown is not None:
                link, heard = shown
        # That it is linked is seen anew each time; that it is not, a moment later no more.
        is_flawed = ask.fresh and not link.ok
        return Made(link, tuple(heard), size=int(is_flawed), is_flawed=is_flawed)

    async def _shown(
        self, number: int, block_hash: str, ask: Ask
    ) -> tuple[Link, list[Heard]] | None:
        """All the way once more, as evidence; None where others are being shown theirs, or it
        takes too long: the flaw stands without.
        """
        if self._showing >= _SHOWN_AT_ONCE:
            return None
        alone = Lineage(self.checkpoint, most_links=self._most_links)
        headers = Headers(ask, kept=True)
        self._showing += 1
        try:
            return await alone._settled(number, block_hash, headers), headers.heard
        except RpcError:
            return None
        finally:
            self._showing -= 1

    async def _settled(self, number: int, block_hash: str, headers: Headers) -> Link:
        links = abs(number - self.checkpoint.number)
        try:
            async with asyncio.timeout(_WALK_S):
                stands = await self._standing(number, headers)
        except TimeoutError:
            text = f"block {number} was not linked to the checkpoint within {_WALK_S:.0f} s"
            raise DeadlineExceeded(text) from None
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
        one that was known to, or that one may have moved.
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
        begun, upwards = self._walks, number >= self.checkpoint.number
        async with self._lock:
            if self._walks != begun:
                self._failures.raise_error(headers)
            self._failures.raise_blocked(number, headers, upwards=upwards)
            self._failures.begin()
            try:
                await self._walk(number, headers, moved_to)
            except RpcError as error:
                self._failures.failed(error, headers)
                raise
            except Unlinked as failed:
                self._failures.blocked(failed, headers, upwards=upwards)
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
        before = self._up.top
        await self._up.reach(number, headers)
        if self._up.top > before:  # it was found to be the parent of what stands on it
            self._seen_at = self._clock()

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


def _is_final(number: int, finality: Finality | None) -> bool:
    final = None if finality is None else finality.final_number()
    return final is not None and number <= final


def lineage_to(checkpoint: Checkpoint | None) -> Lineage | None:
    """None where nothing is trusted."""
    return None if checkpoint is None else Lineage(checkpoint)
