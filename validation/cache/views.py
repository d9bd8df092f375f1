"""What of an item's questions the cache is asked about, by kind; and who is asked for the rest."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final, Protocol

from validation.cache.entry import Entry
from validation.cache.freshness import lifetime
from validation.cache.hits import Hit, Made
from validation.cache.keys import KINDS, Kind, key_of
from validation.rpc import Call, DeadlineExceeded, Reply, WrongChain
from validation.rpc.timing import Remembered, Timing

if TYPE_CHECKING:
    from validation.cache.fetcher import CachedFetcher


class Asks(Protocol):
    """The client below, or anything like it."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply: ...


class View(Asks, Protocol):
    @property
    def kinds(self) -> frozenset[str]:
        """Those whose answers are kept, wherever items keep any."""
        ...


class Uncached:
    """Of nothing: whatever is asked goes to a node, and what it says is not kept."""

    kinds: Final[frozenset[str]] = frozenset()

    def __init__(self, of: "CachedFetcher", asks: Asks) -> None:
        self._of = of
        self._asks = asks

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        try:
            return await self._asks.fetch(calls, timeout_s=timeout_s, fresh=fresh)
        except WrongChain:
            if self._of.namespace:
                self._of.learn_again()
            raise


class Cached:
    """Of some kinds, or all. A question of another kind goes to a node, as one of no kind does."""

    def __init__(self, of: "CachedFetcher", asks: Asks, *, kinds: frozenset[str]) -> None:
        self.kinds: Final = kinds
        self._of = of
        self._asks = asks
        self._direct = Uncached(of, asks)
        self._cache = of.cache
        self._look = of.cache.look  # bound once: it is asked for each question

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        namespace = self._of.namespace
        found = key_of(namespace, calls) if namespace else None
        if found is None:
            return await self._direct.fetch(calls, timeout_s=timeout_s, fresh=fresh)
        key, kind = found
        name = kind.name
        if name not in self.kinds:
            return await self._direct.fetch(calls, timeout_s=timeout_s, fresh=fresh)
        hit = None if fresh else self._look(key, name)
        if isinstance(hit, Hit):
            return Reply(hit.values, hit.node, hit.raws, hit.source, hit.age_s)
        began_at = monotonic()
        hit = await self._ask(key, kind, calls, hit, timeout_s=timeout_s, fresh=fresh)
        has_l2 = not fresh and self._cache.wire is not None
        timing = Remembered(began_at, monotonic(), hit.source, hit.node, has_l2, hit.timing)
        return Reply(hit.values, hit.node, hit.raws, hit.source, hit.age_s, timing)

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
            name = self._of.namespace
            try:
                reply = await self._asks.fetch(calls, timeout_s=timeout_s, fresh=fresh)
            except WrongChain:
                self._of.learn_again()
                raise
            timing = reply.timing if isinstance(reply.timing, Timing) else None
            if name != self._of.namespace or not key.startswith(name):
                # Whose answer is it?
                return Made(reply.values, reply.raws, reply.node, None, timing)
            life = lifetime(
                kind,
                calls[0].params,
                reply.values,
                node=reply.node,
                finality=self._of.finality,
                random=self._of.random,
            )
            return Made(reply.values, reply.raws, reply.node, life, timing)

        try:
            find = self._cache.find
            if timeout_s is None:
                return await find(key, kind.name, make, kind.read, known, fresh=fresh)
            async with asyncio.timeout(timeout_s):
                return await find(key, kind.name, make, kind.read, known, fresh=fresh)
        except TimeoutError as error:
            raise DeadlineExceeded(str(error) or f"nothing came within {timeout_s} s") from None


KEPT: Final[dict[str, Callable[["CachedFetcher", Asks], View]]] = {
    "tx": partial(Cached, kinds=frozenset({"tx"})),
    "none": Uncached,
    "all": partial(Cached, kinds=frozenset(kind.name for kind in KINDS)),
}
"""The baseline first: of transactions alone."""
