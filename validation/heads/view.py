"""One process's view of the chain: it polls the head, links it by parent hash, and tells news."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from random import Random, SystemRandom

import structlog

from validation.heads.headers import AT_ONCE, Dubious, Head, Headers
from validation.heads.links import branch_to, changed_since
from validation.heads.window import Window
from validation.rpc import RpcError
from validation.validators import Fetcher
from validation.validators.outcome import BlockRef

_log = structlog.get_logger(__name__)

_KEPT = 256
"""Blocks remembered; a gap of more is leapt over."""
_DEEPER_BY = 16
_ORPHANS_KEPT = 1_024
_ASK_FINAL_AGAIN = 30
"""Polls until a node that knew no final block is asked for one again."""
_START_AGAIN = 30
"""Polls with a head below all that is remembered, until that is believed: another chain, or all
that is left of the nodes."""
_JITTER = 0.1


class ChainView:
    """Polls in one event loop; other threads may read, and ask by `watch`.

    An orphaned block is one that this view saw in the chain, or was asked about, and that is not
    in it any more. It is told once, to `on_reorg`, on the loop's thread; a block that comes back
    is an orphan no more, and may be told again.
    """

    def __init__(
        self,
        fetcher: Fetcher,
        *,
        every_s: float = 2.0,
        depth: int = 64,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        on_reorg: Callable[[tuple[BlockRef, ...]], None] | None = None,
    ) -> None:
        self.on_reorg = on_reorg
        self.orphaned_total = 0
        """Blocks told as orphaned since the start."""
        self.failures = 0
        """Polls from which nothing followed, since the start."""
        self._headers = Headers(fetcher, timeout_s=max(5.0, every_s))
        self._every_s = every_s
        self._depth = depth
        self._clock = clock
        self._random = random or SystemRandom()
        self._window = Window(kept=max(_KEPT, 2 * depth))
        self._final: BlockRef | None = None
        self._final_number: int | None = None
        self._knows_tag = False
        self._ask_final_in = 0
        self._behind = 0
        self._orphans: dict[str, BlockRef] = {}
        self._watched: tuple[BlockRef, ...] = ()
        self._standings: Mapping[BlockRef, bool] | None = {}
        self._heard_at: float | None = None
        self._failing = False
        self._task: asyncio.Task[None] | None = None

    @property
    def head(self) -> BlockRef | None:
        head = self._window.head
        return None if head is None else head.ref

    @property
    def final(self) -> BlockRef | None:
        """None where no block is final, or the hash of the one that is has not been seen yet."""
        return self._final

    @property
    def age_s(self) -> float | None:
        """How long ago a node was heard; None: never."""
        return None if self._heard_at is None else self._clock() - self._heard_at

    @property
    def orphans(self) -> Mapping[str, BlockRef]:
        """Blocks that are not in the chain any more, by hash: the last thousand. Never changes
        under its reader.
        """
        return self._orphans

    def final_number(self) -> int | None:
        return self._final_number

    def is_final(self, number: int) -> bool:
        return self._final_number is not None and number <= self._final_number

    def is_settled(self, number: int, block_hash: str) -> bool:
        """Final, and no other block stands at its number as far down as this view reaches: a node
        on a fork of its own may name a number that is final, with a block that never was.
        """
        if not self.is_final(number) or block_hash in self._orphans:
            return False
        held = self._window.at(number)
        return held is None or held.hash == block_hash

    def is_orphaned(self, block_hash: str) -> bool:
        return block_hash in self._orphans

    def watch(self, blocks: Iterable[BlockRef]) -> None:
        """Asks whether these stand; `standings` tells once a poll that begins later has looked."""
        self._standings = None
        self._watched = tuple(blocks)

    def standings(self) -> Mapping[BlockRef, bool] | None:
        """For blocks last asked about: is it in the chain? Absent: not known. None: wait."""
        return self._standings

    def start(self) -> None:
        """To be called in the loop; a second call does nothing."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def poll(self) -> bool:
        """Looks once; False where nothing could be learned. What was known before stays known."""
        watched, asked = self._watched, self._standings is None
        try:
            await self._look()
            standings = await self._stand(watched) if asked else None
        except (RpcError, Dubious) as error:
            self._failed(error)
            return False
        if asked and watched is self._watched:
            self._standings = standings
        self._heard_at = self._clock()
        if self._failing:
            self._failing = False
            _log.info("chain.heard_again", head=self.head and self.head.number)
        return True

    async def _run(self) -> None:
        while True:
            try:
                await self.poll()
            except Exception:  # noqa: BLE001 - were it to end, no reorganisation would be heard of
                self.failures += 1
                _log.exception("chain.poll_failed")
            # Processes started together should not ask together for ever.
            jitter = 1 + _JITTER * (2 * self._random.random() - 1)
            await asyncio.sleep(self._every_s * jitter)

    async def _look(self) -> None:
        self._ask_final_in -= 1
        with_final = self._knows_tag or self._ask_final_in < 0
        head, final = await self._headers.newest(with_final=with_final)
        if final is not None:
            self._knows_tag = True
        elif with_final:
            self._ask_final_in = _ASK_FINAL_AGAIN
        self._tell(await self._follow(head))
        self._finalise(final)
        await self._deepen()

    async def _follow(self, head: Head) -> tuple[BlockRef, ...]:
        """Makes `head` the window's; returns what it left behind."""
        window = self._window
        newest, lowest = window.head, window.lowest
        if newest is None or lowest is None:
            window.start(head)
            return ()
        if head.number < lowest.number:
            self._far_behind(head)
            return ()
        self._behind = 0
        if window.holds(head.ref):
            return ()  # the same, or a node that lags
        if head.number - newest.number > _KEPT:
            gone = await changed_since(window, self._headers)
            _log.warning("chain.gap", head=head.number, known=newest.number, orphaned=len(gone))
            window.start(head)
            return gone
        branch = await branch_to(head, window, self._headers)
        self._welcome_back({block.hash for block in branch} & self._orphans.keys())
        gone = window.adopt(branch)
        if gone and self.is_final(gone[0].number):
            _log.error("chain.final_reorganised", block=gone[0].number, final=self._final_number)
            self._final = self._final_number = None
        return gone

    def _welcome_back(self, returned: set[str]) -> None:
        if returned:
            self._orphans = {h: o for h, o in self._orphans.items() if h not in returned}
            _log.warning("chain.came_back", blocks=len(returned))

    def _far_behind(self, head: Head) -> None:
        self._behind += 1
        if self._behind < _START_AGAIN:
            return
        _log.warning("chain.started_again", head=head.number, final=self._final_number)
        self._behind = 0
        self._window.start(head)
        self._final = self._final_number = None
        self._knows_tag = False

    def _finalise(self, final: Head | None) -> None:
        """What is final stays so: a node that lags takes nothing back."""
        if final is not None:
            if self._window.holds(final.ref) is False:
                raise Dubious(f"final block {final.number} is not in the chain of the head")
            number: int = final.number
        else:
            head = self._window.head
            if self._knows_tag or head is None or head.number < self._depth:
                return
            number = head.number - self._depth
        if self._final_number is None or number >= self._final_number:
            held = final or self._window.at(number)
            self._final_number = number
            self._final = held.ref if held else None

    async def _deepen(self) -> None:
        """A process that started just now learns the blocks below its first head, bit by bit."""
        head, lowest = self._window.head, self._window.lowest
        if head is None or lowest is None:
            return
        final = self._final_number
        wanted = head.number - self._depth if final is None else final
        first = max(0, wanted, head.number - _KEPT + 1, lowest.number - _DEEPER_BY)
        if first < lowest.number:
            below = await self._headers.by_number(range(first, lowest.number))
            self._window.deepen(below)

    async def _stand(self, watched: tuple[BlockRef, ...]) -> dict[BlockRef, bool]:
        """Which of `watched` are in the chain now. What is not is an orphan, seen by us or not."""
        head = self._window.head
        top = head.number if head else -1
        found = {b: held for b in watched if (held := self._window.holds(b)) is not None}
        far = dict.fromkeys(b.number for b in watched if b not in found and b.number <= top)
        now = await self._headers.by_number(list(far)[:AT_ONCE])
        for block in watched:
            if block not in found and block.number in now:
                found[block] = now[block.number].hash == block.hash
        lost = [b for b, stands in found.items() if not stands and b.hash not in self._orphans]
        self._tell(tuple(sorted(lost, key=lambda block: block.number)))
        return found

    def _tell(self, gone: tuple[BlockRef, ...]) -> None:
        if not gone:
            return
        _log.warning("chain.reorganised", blocks=len(gone), deepest=gone[0].number)
        # A new one each time: other threads read it.
        orphans = self._orphans | {block.hash: block for block in gone}
        self._orphans = dict(list(orphans.items())[-_ORPHANS_KEPT:])
        self.orphaned_total += len(gone)
        if self.on_reorg is None:
            return
        try:
            self.on_reorg(gone)
        except Exception:  # noqa: BLE001 - a listener's defect is not the chain's
            _log.exception("chain.listener_failed", blocks=len(gone))

    def _failed(self, error: Exception) -> None:
        self.failures += 1
        if not self._failing:
            self._failing = True
            _log.warning("chain.not_heard", error=f"{type(error).__name__}: {error}")
