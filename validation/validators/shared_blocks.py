"""Evidence of blocks and headers, which the items of an engine share.

Which questions an item asks depends on the item alone and not on what is remembered, so that a
proof bundle holds every answer that is needed to verify it again.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from validation.rpc.answers import Unreadable
from validation.rpc.schema import Header
from validation.validators.block_evidence import BlockEvidence, Unserved, gather
from validation.validators.header import NoHeader, fetch_header
from validation.validators.heard import Heard
from validation.validators.sharing import Made, Shared

if TYPE_CHECKING:
    from validation.validators.asking import Ask

MOST_BYTES: Final = 32 << 20
"""Of answers as they came, and in memory nearly three times as much. 400 blocks of 40 transactions,
so that a run over 300 of them asks for each once, in whatever order its items come.
"""
MOST_HEADER_BYTES: Final = 1 << 20

type EvidenceOrNot = BlockEvidence | Unserved | Unreadable
type HeaderOrNot = Header | NoHeader | Unreadable


class SharedBlocks:
    """Evidence of blocks and headers, each by its hash; one to an engine."""

    def __init__(
        self, *, most_bytes: int = MOST_BYTES, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._blocks: Shared[EvidenceOrNot] = Shared(
            kind="evidence", most_bytes=most_bytes, clock=clock
        )
        self._headers: Shared[HeaderOrNot] = Shared(
            kind="header", most_bytes=min(most_bytes, MOST_HEADER_BYTES), clock=clock
        )

    @property
    def kept_bytes(self) -> int:
        return self._blocks.kept_bytes + self._headers.kept_bytes

    def forget(self) -> None:
        """A purge: nothing that was remembered before it is given out, or joined."""
        self._blocks.forget()
        self._headers.forget()

    def shrink(self, share: float) -> None:
        """Lets go of all but so much of what is remembered, for the sake of memory."""
        self._blocks.shrink(share)
        self._headers.shrink(share)

    def share(self, *, flights: bool) -> None:
        """Whether items that ask the same at the same time wait for one answer, or each asks."""
        self._blocks.joins = self._headers.joins = flights

    async def of(self, block_hash: str, ask: "Ask") -> EvidenceOrNot:
        """The block and its receipts, verified against its hash as far as they can be; or why
        there is none.
        """
        return await self._blocks.of(block_hash.lower(), ask, _gathered)

    async def header(self, block_hash: str, ask: "Ask") -> HeaderOrNot:
        """The header that hashes to this; or why there is none."""
        return await self._headers.of(block_hash.lower(), ask, _fetched)


async def _gathered(block_hash: str, ask: "Ask") -> Made[EvidenceOrNot]:
    found, heard = await gather(block_hash, ask.fetcher, fresh=ask.fresh)
    if not isinstance(found, BlockEvidence):
        return Made(found, heard, 0)
    return Made(found, heard, _size(heard), is_flawed=not found.is_sound)


async def _fetched(block_hash: str, ask: "Ask") -> Made[HeaderOrNot]:
    found, heard = await fetch_header(block_hash, ask.fetcher, fresh=ask.fresh)
    is_flawed = isinstance(found, NoHeader) and not found.reason
    is_kept = is_flawed or isinstance(found, Header)
    return Made(found, heard, _size(heard) if is_kept else 0, is_flawed=is_flawed)


def _size(heard: tuple[Heard, ...]) -> int:
    return sum(len(raw) for one in heard for raw in one.reply.raws) or 1
