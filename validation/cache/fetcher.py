"""A fetcher with a memory: asks the cache first, and the nodes through it."""

import asyncio
import contextlib
from collections.abc import Coroutine, Sequence
from random import Random
from typing import Any, Final

import structlog

from validation.cache.errors import CacheError
from validation.cache.freshness import LATEST, Finality, Unknown, block_tag
from validation.cache.keys import key_of, learn_namespace
from validation.cache.tags import ALL
from validation.cache.tiered import TieredCache
from validation.cache.views import KEPT, Asks, View
from validation.cache.warming import remember
from validation.rpc import Call, Reply

_LEARN_AGAIN_S: Final = 60.0
_LEARN_SOON_S: Final = 2.0
_REMEMBER_S: Final = 15.0
_MOST_VIEWS: Final = 64

_log = structlog.get_logger(__name__)


class CachedFetcher:
    """Asks `fetcher` what `cache` does not know. Until the chain is known, and for questions of no
    known kind, it asks directly. Belongs to the loop it is started in.
    """

    def __init__(
        self,
        fetcher: Asks,
        cache: TieredCache,
        *,
        finality: Finality | None = None,
        random: Random | None = None,
    ) -> None:
        self.cache = cache
        self.namespace = b""
        self.finality: Finality = finality or Unknown()
        self.is_warm = asyncio.Event()
        """Set once L1 has what was hot in the fleet, or it is known that it cannot be had."""
        self._fetcher = fetcher
        self.random = random or Random()  # noqa: S311 - spreads expiries, guards nothing
        self._clock = asyncio.get_running_loop().time
        self._tasks: list[asyncio.Task[None]] = []
        self._has_looked = asyncio.Event()
        self._doubt = asyncio.Event()
        self._known = b""
        self._final: int | None = None
        self._views: dict[tuple[str, int], View] = {}
        self._own = self.view("all")
        self._filling: asyncio.Task[None] | None = None
        cache.part_below = getattr(fetcher, "part", None)
        cache.fill = self._fill

    def start(self) -> None:
        """Starts what runs beside the items: the backplane, the chain's name, warming."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._tick()), asyncio.create_task(self._learn())]

    async def aclose(self) -> None:
        """Tells the fleet what was hot, and ends; the fetcher below stays open."""
        tasks = self._tasks if self._filling is None else [*self._tasks, self._filling]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks = []
        await self._remember()
        await self.cache.aclose()

    def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Coroutine[Any, Any, Reply]:
        """As the fetcher below; what comes from the cache says so, and how old it is."""
        return self._own.fetch(calls, timeout_s=timeout_s, fresh=fresh)

    def view(self, kinds: str, asks: Asks | None = None) -> View:
        """For an item: answers of these kinds (a name of `KEPT`) are kept, and `asks` is asked for
        what is not known; None: the fetcher below. The same object for the same two, so that items
        may tell by it who asks alike. ValueError where no kinds have that name.
        """
        asks = self._fetcher if asks is None else asks
        found = self._views.get((kinds, id(asks)))
        if found is None:
            if kinds not in KEPT:
                raise ValueError(f"kinds: there are none named {kinds!r}; one of {', '.join(KEPT)}")
            if len(self._views) >= _MOST_VIEWS:
                self._views.clear()
            # It holds `asks`, so that no other takes that id meanwhile.
            found = self._views[kinds, id(asks)] = KEPT[kinds](self, asks)
        return found

    def forget(self, calls: Sequence[Call]) -> None:
        """Drops what is known of these calls, everywhere but in other processes' L1."""
        found = key_of(self.namespace, calls) if self.namespace else None
        if found is not None:
            self.cache.drop(found[0])

    def forget_blocks(self, hashes: Sequence[str]) -> None:
        """Blocks were reorganised away: what stood and fell with them goes, in every process, and
        so does what was read at the head. Is it the same chain at all?
        """
        self._doubt.set()
        self.cache.purge(*map(block_tag, hashes), LATEST)

    def learn_again(self) -> None:
        """There is reason to doubt the chain: nothing is kept or given out until it is known."""
        self.namespace = b""
        self._doubt.set()

    async def _tick(self) -> None:
        poll_s = self.cache.config.poll_s
        next_report = self._clock() + _REMEMBER_S
        while True:
            try:
                await self.cache.tick()
                self._has_looked.set()
                self._watch_final()
                if self._clock() >= next_report:
                    next_report = self._clock() + _REMEMBER_S
                    await self._remember()
            except Exception:  # noqa: BLE001 - it is logged, and the next turn is due all the same
                # A cache that nobody ticks goes on giving out what was purged long ago.
                _log.exception("cache.turn_failed")
            await asyncio.sleep(poll_s)

    def _watch_final(self) -> None:
        """What is final stays so, or it is another chain, or one that started again."""
        before, self._final = self._final, self.finality.final_number()
        if before is not None and (self._final is None or self._final < before):
            self.learn_again()

    async def _learn(self) -> None:
        """Which chain this is; again each minute, since a node may be replaced by another, and as
        soon as there is doubt.
        """
        while True:
            self._doubt.clear()
            try:
                found = await learn_namespace(self._fetcher)
                if self._doubt.is_set():
                    continue
                self._name(found)
            except Exception as error:  # noqa: BLE001 - a node answers in any shape; asked again
                _log.debug("cache.chain_unknown", error=type(error).__name__, said=str(error))
                await asyncio.sleep(_LEARN_SOON_S)
                continue
            if not self.is_warm.is_set():
                await self._has_looked.wait()  # is there a server at all?
                await self._warm()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEARN_AGAIN_S):
                    await self._doubt.wait()

    def _name(self, found: bytes) -> None:
        """What was kept since the last look may be the new chain's under the old one's name."""
        if self._known and found != self._known:
            _log.warning("cache.chain_changed")
            self.cache.purge(ALL)
        self.namespace = self._known = found

    async def _warm(self) -> None:
        wire = self.cache.wire
        try:
            if wire is not None:
                limit = self.cache.config.warm_keys
                warming = self.cache.warming
                count = await warming.fill(self.cache, wire, self.namespace, limit=limit)
                self.cache.counts.warmed += count
                _log.info("cache.warmed", entries=count, warming=warming.name)
        except CacheError as error:
            _log.info("cache.not_warmed", reason=str(error))
        self.is_warm.set()

    def _fill(self) -> None:
        """Another warming holds. Before the chain is known L1 is going to be filled anyway."""
        if self.namespace and (self._filling is None or self._filling.done()):
            self._filling = asyncio.create_task(self._warm())

    async def _remember(self) -> None:
        wire = self.cache.wire
        keys: list[Any] = self.cache.hot.take()
        if wire is None or not self.namespace:
            return
        with contextlib.suppress(CacheError):  # then the next one starts a little colder
            limit = self.cache.config.warm_keys
            await remember(wire, self.namespace, keys, limit=limit)
