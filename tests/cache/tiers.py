"""Two-tier caches for tests, and a source whose answers they keep."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from validation.cache import CacheConfig, Hit, Lifetime, Made, TieredCache
from validation.resilience import Breaker, BreakerConfig

KEY = b"0123456789abcdef0123456789abcdef"
LONG = Lifetime(3600.0, 3600.0, ("tx", "node:n"))


class Clock:
    """A clock that goes by itself and can be put on."""

    def __init__(self) -> None:
        self.ahead_s = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead_s


class Source:
    """What a node knows: a number that grows with each question, or an error."""

    def __init__(self, lifetime: Lifetime | None = LONG) -> None:
        self.lifetime = lifetime
        self.asked = 0
        self.error: Exception | None = None
        self.gate: asyncio.Event | None = None
        """Where there is one, answers wait for it."""

    async def __call__(self) -> Made:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Made(number, (b"%d" % number,), "n", self.lifetime)


def decode(raws: tuple[bytes, ...]) -> int:
    return int(raws[0])


class Tiers:
    """Makes caches that share a Valkey, each as a process of its own would have it."""

    def __init__(self, url: str, namespace: str = "") -> None:
        self._url = url
        self.namespace = namespace.encode()
        self._made: list[TieredCache] = []
        self._ticking: list[asyncio.Task[None]] = []
        self.breakers: list[Breaker] = []

    def key(self, name: str) -> bytes:
        return b'%btx:["%b"]' % (self.namespace, name.encode())

    async def make(
        self,
        *,
        clock: Callable[[], float] = time.monotonic,
        orphaned: Callable[[str], bool] = lambda _hash: False,
        breaker: Breaker | None = None,
        connected: bool = True,
        **config: Any,
    ) -> TieredCache:
        breaker = breaker or Breaker(
            "l2", BreakerConfig(consecutive_failures=3, open_s=60.0), clock=clock
        )
        # Other tests keep this machine busy: only those about silence want a short patience.
        # L1 forgets after five minutes what these tests let grow old for hours.
        given: dict[str, Any] = {
            "key": KEY, "reply_s": 2.0, "connect_s": 5.0, "url": self._url, "l1_ttl_s": 1e9,
            "blind_s": 1e9,
        } | config  # fmt: skip
        cache = TieredCache(CacheConfig(**given), breaker=breaker, clock=clock, orphaned=orphaned)
        self._made.append(cache)
        self.breakers.append(breaker)
        if connected:
            await cache.tick()
            assert cache.wire is not None or not given["url"]
        return cache

    def keep_ticking(self, cache: TieredCache) -> None:
        """As a process does it."""

        async def tick() -> None:
            while True:
                await cache.tick()
                await asyncio.sleep(cache.config.poll_s)

        self._ticking.append(asyncio.create_task(tick()))

    async def aclose(self) -> None:
        for task in self._ticking:
            task.cancel()
        await asyncio.gather(*self._ticking, return_exceptions=True)
        for cache in self._made:
            await cache.aclose()


async def ask(cache: TieredCache, key: bytes, source: Source, *, fresh: bool = False) -> Hit:
    hit = await cache.get_or_set(key, "tx", source, decode, fresh=fresh)
    if cache.l2 is not None:
        cache.l2.write_out()  # tests that ask two processes in turn want the first to be done
    return hit


async def until(
    is_so: Callable[[], bool | Awaitable[bool]], *, within_s: float = 5.0, what: str
) -> float:
    """Polls until it is so; answers how long that took."""
    started = time.monotonic()
    while True:
        found = is_so()
        if found if isinstance(found, bool) else await found:
            return time.monotonic() - started
        assert time.monotonic() - started < within_s, f"not within {within_s} s: {what}"
        await asyncio.sleep(0.005)


async def past_purges(*caches: TieredCache) -> None:
    """Until what is made now is certain to be younger than the last purge."""

    def is_past() -> bool:
        return all(
            cache.table.now_ms() > max(cache.table._purged.values(), default=0) for cache in caches
        )

    await until(is_past, what="the purges are past")


async def stored(cache: TieredCache, key: bytes) -> bytes | None:
    """What lies in Valkey, once everything told before has been done."""
    from validation.cache.valkey import command  # noqa: PLC0415 - beside the public face

    assert cache.wire is not None
    assert cache.l2 is not None
    cache.l2.write_out()
    found: bytes | None = await cache.wire.probe(command("GET", key))
    return found
