"""A fetcher with a memory: asks the cache first, and the nodes through it."""

import asyncio
import contextlib
from collections.abc import Sequence
from random import Random
from time import monotonic
from typing import Any, Final, Protocol

import structlog

from validation.cache.entry import Entry
from validation.cache.errors import CacheError
from validation.cache.freshness import LATEST, Finality, Unknown, block_tag, lifetime
from validation.cache.hits import Hit, Made
from validation.cache.keys import Kind, key_of, learn_namespace
from validation.cache.tags import ALL
from validation.cache.tiered import TieredCache
from validation.cache.warming import remember, warm
from validation.rpc import Call, DeadlineExceeded, Reply, WrongChain
from validation.rpc.timing import Remembered, Timing

_LEARN_AGAIN_S: Final = 60.0
_LEARN_SOON_S: Final = 2.0
_REMEMBER_S: Final = 15.0

_log = structlog.get_logger(__name__)


class Asks(Protocol):
    """The client below, or anything like it."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply: ...


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
        self._random = random or Random()  # noqa: S311 - spreads expiries, guards nothing
        self._clock = asyncio.get_running_loop().time
        self._tasks: list[asyncio.Task[None]] = []
        self._has_looked = asyncio.Event()
        self._doubt = asyncio.Event()
        self._known = b""
        self._final: int | None = None
        cache.part_below = getattr(fetcher, "part", None)

    def start(self) -> None:
        """Starts what runs beside the items: the backplane, the chain's name, warming."""
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._tick()), asyncio.create_task(self._learn())]

    async def aclose(self) -> None:
        """Tells the fleet what was hot, and ends; the fetcher below stays open."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._remember()
        await self.cache.aclose()

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        """As the fetcher below; what comes from the cache says so, and how old it is."""
        found = key_of(self.namespace, calls) if self.namespace else None
        if found is None:
            return await self._fetcher.fetch(calls, timeout_s=timeout_s, fresh=fresh)
        key, kind = found
        hit = None if fresh else self.cache.look(key, kind.name)
        if isinstance(hit, Hit):
            return Reply(hit.values, hit.node, hit.raws, hit.source, hit.age_s)
        began_at = monotonic()
        hit = await self._ask(key, kind, calls, hit, timeout_s=timeout_s, fresh=fresh)
        has_l2 = not fresh and self.cache.wire is not None
        timing = Remembered(began_at, monotonic(), hit.source, hit.node, has_l2, hit.timing)
        return Reply(hit.values, hit.node, hit.raws, hit.source, hit.age_s, timing)

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

    async def _ask(
        self,
        key: bytes,
        kind: Kind,
        calls: Sequence[Call],
        known: Entry | None,
        *,
        timeout_s: float | None,
        fresh: bool,
    ) -> Hit:
        async def make() -> Made:
            name = self.namespace
            try:
                reply = await self._fetcher.fetch(calls, timeout_s=timeout_s, fresh=fresh)
            except WrongChain:
                self.learn_again()
                raise
            timing = reply.timing if isinstance(reply.timing, Timing) else None
            if name != self.namespace or not key.startswith(name):
                # Whose answer is it?
                return Made(reply.values, reply.raws, reply.node, None, timing)
            life = lifetime(
                kind,
                calls[0].params,
                reply.values,
                node=reply.node,
                finality=self.finality,
                random=self._random,
            )
            return Made(reply.values, reply.raws, reply.node, life, timing)

        try:
            find = self.cache.find
            if timeout_s is None:
                return await find(key, kind.name, make, kind.read, known, fresh=fresh)
            async with asyncio.timeout(timeout_s):
                return await find(key, kind.name, make, kind.read, known, fresh=fresh)
        except TimeoutError as error:
            raise DeadlineExceeded(str(error) or f"nothing came within {timeout_s} s") from None

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
                count = await warm(self.cache, wire, self.namespace, limit=limit)
                _log.info("cache.warmed", entries=count)
        except CacheError as error:
            _log.info("cache.not_warmed", reason=str(error))
        self.is_warm.set()

    async def _remember(self) -> None:
        wire = self.cache.wire
        keys: list[Any] = self.cache.hot.take()
        if wire is None or not self.namespace:
            return
        with contextlib.suppress(CacheError):  # then the next one starts a little colder
            limit = self.cache.config.warm_keys
            await remember(wire, self.namespace, keys, limit=limit)
