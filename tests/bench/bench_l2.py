"""Both tiers beside django-redis, redis-py and cashews, on a Valkey of this bench's own.

The value is a transaction and its receipt, as a node answers them. L1 hits are the best of many
short slices, so that the machine's other work counts least; what waits for Valkey is wall time.
"""

import asyncio
import contextlib
import itertools
import json
import shutil
import socket
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import django
import redis
import redis.asyncio
import uvloop
from cashews import Cache
from django.conf import settings

from console.embedded import valkey
from console.embedded.places import places
from tests.bench.lines import interleaved, show
from tests.validators import world
from validation.cache import CacheConfig, Lifetime, Made, TieredCache, Want
from validation.resilience import Breaker

SINGLE = 1000
MANY = 4096
A_COMMAND = 256
SLICES = 200
CALLERS = 256
KEY = b"k" * 32
LIFE = Lifetime(3600.0, 3600.0, ("tx", "node:n", "block:0x" + "12" * 32))

TX = world.signed(2)
RAWS = tuple(
    json.dumps(answer, separators=(",", ":")).encode() for answer in (TX, world.receipt_of(TX))
)
TEXT = b"".join(RAWS)
MADE = Made(RAWS, RAWS, "n", LIFE)


async def make() -> Made:
    return MADE


def decode(raws: tuple[bytes, ...]) -> tuple[bytes, ...]:
    return raws


class Bench:
    """One loop, one server, and a client of each kind."""

    def __init__(self, url: str, path: Path) -> None:
        self.url = url
        self._path = path
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self._turn = itertools.count()
        self.runner.run(self._open())

    async def _open(self) -> None:
        self.ours = await self.cache()
        self.plain = await self.cache(codec="none")
        self.pooled = redis.asyncio.Redis.from_url(self.url)
        self.cashews = Cache()
        self.cashews.setup("mem://", size=100_000)
        await self.ours.get_or_set(b"one", "tx", make, decode)
        await self.pooled.set("one-raw", TEXT)
        await self.cashews.set("one", RAWS, expire=3600)
        await self.ours.tick()

    async def cache(self, **config: Any) -> TieredCache:
        cache = TieredCache(
            CacheConfig(url=self.url, key=KEY, reply_s=5.0, blind_s=1e9, **config),
            breaker=Breaker("l2"),
        )
        await cache.tick()
        return cache

    def keys(self, count: int) -> list[bytes]:
        """Never seen before, as long as real ones."""
        first = next(self._turn) * 1_000_000
        start = b"switchyard:cache:0011223344556677:tx:"
        return [start + b'["0x%064x"]' % number for number in range(first, first + count)]

    # -- L1

    def l1_ns(self, call: Callable[[], Awaitable[Any]]) -> Callable[[], float]:
        async def best() -> float:
            found = []
            for _ in range(SLICES):
                started = perf_counter()
                for _ in range(100):
                    await call()
                found.append(perf_counter() - started)
            return min(found) / 100 * 1e9

        return lambda: self.runner.run(best())

    async def ours_l1(self) -> None:
        await self.ours.get_or_set(b"one", "tx", make, decode)

    async def cashews_l1(self) -> None:
        await self.cashews.get("one")

    # -- one L2 hit after another

    def single_us(self, call: Callable[[], Awaitable[Any]]) -> Callable[[], float]:
        async def run() -> float:
            started = perf_counter()
            for _ in range(SINGLE):
                await call()
            return (perf_counter() - started) / SINGLE * 1e6

        return lambda: self.runner.run(run())

    async def ours_l2(self) -> None:
        self.ours.l1.drop(b"one")
        hit = await self.ours.get_or_set(b"one", "tx", make, decode)
        assert hit.source == "l2"

    async def pooled_l2(self) -> None:
        assert await self.pooled.get("one-raw")

    def django_us(self) -> float:
        from django.core.cache import cache

        cache.set("one", RAWS)
        started = perf_counter()
        for _ in range(SINGLE):
            assert cache.get("one")
        return (perf_counter() - started) / SINGLE * 1e6

    def socket_us(self) -> float:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(self._path))
            command = b"*2\r\n$3\r\nGET\r\n$7\r\none-raw\r\n"
            length = len(TEXT) + len(f"${len(TEXT)}\r\n\r\n")
            started = perf_counter()
            for _ in range(SINGLE):
                client.sendall(command)
                left = length
                while left:
                    left -= len(client.recv(left))
            return (perf_counter() - started) / SINGLE * 1e6

    # -- many keys

    async def _filled(self, cache: TieredCache, keys: list[bytes]) -> None:
        await self._each(cache, keys)
        await cache.tick()
        cache.l1.clear()

    async def _each(self, cache: TieredCache, keys: list[bytes]) -> None:
        waiting = iter(keys)

        async def work() -> None:
            for key in waiting:
                await cache.get_or_set(key, "tx", make, decode)

        await asyncio.gather(*[work() for _ in range(CALLERS)])

    def many_us(self, cache: TieredCache, *, through_l1: bool) -> Callable[[], float]:
        async def run() -> float:
            keys = self.keys(MANY)
            await self._filled(cache, keys)
            assert cache.l2 is not None
            started = process_time()
            for first in range(0, MANY, A_COMMAND):
                some = keys[first : first + A_COMMAND]
                found: list[Any] = (
                    await cache.get_many([Want(key, "tx", decode) for key in some])
                    if through_l1
                    else await cache.l2.read_many(some)
                )
                assert all(found)
            return (process_time() - started) / MANY * 1e6

        return lambda: self.runner.run(run())

    def django_many_us(self) -> float:
        from django.core.cache import cache

        keys = [f"{number}" for number in range(MANY)]
        cache.set_many(dict.fromkeys(keys, RAWS))
        started = process_time()
        for first in range(0, MANY, A_COMMAND):
            assert len(cache.get_many(keys[first : first + A_COMMAND])) == A_COMMAND
        return (process_time() - started) / MANY * 1e6

    # -- many callers at once

    def concurrent_us(self, cache: TieredCache, *, stored: bool) -> Callable[[], float]:
        """Each caller asks for a key that L1 does not have; L2 does, or nobody."""

        async def run() -> float:
            keys = self.keys(MANY)
            if stored:
                await self._filled(cache, keys)
            started = process_time()
            await self._each(cache, keys)
            return (process_time() - started) / MANY * 1e6

        return lambda: self.runner.run(run())

    def pooled_concurrent_us(self) -> float:
        async def run() -> float:
            waiting = iter(range(MANY))

            async def work() -> None:
                for _ in waiting:
                    await self.pooled.get("one-raw")

            started = process_time()
            await asyncio.gather(*[work() for _ in range(64)])
            return (process_time() - started) / MANY * 1e6

        return self.runner.run(run())

    async def _close(self) -> None:
        await self.ours.aclose()
        await self.plain.aclose()
        await self.pooled.aclose()
        await self.cashews.close()

    def close(self) -> None:
        self.runner.run(self._close())
        self.runner.close()


@contextlib.contextmanager
def server() -> Iterator[valkey.Valkey]:
    folder = Path(tempfile.mkdtemp(prefix="switchyard-bench-"))
    folder.chmod(0o755)
    running = valkey.cache(places(folder))
    try:
        running.start()
        yield running
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    with server() as running:
        backend = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": running.url}
        settings.configure(CACHES={"default": backend})
        django.setup()
        bench = Bench(running.url, running.socket)
        l1 = interleaved(
            {"ours": bench.l1_ns(bench.ours_l1), "cashews": bench.l1_ns(bench.cashews_l1)}
        )
        show("L1 hit through both tiers", l1, unit="ns", goal="1 000")
        single = interleaved(
            {
                "ours": bench.single_us(bench.ours_l2),
                "django-redis": bench.django_us,
                "redis-py asyncio": bench.single_us(bench.pooled_l2),
                "raw socket": bench.socket_us,
            }
        )
        show("L2 hit", single, unit="µs", goal="django-redis ×1.5")
        many = interleaved(
            {
                "ours": bench.many_us(bench.ours, through_l1=False),
                "uncompressed": bench.many_us(bench.plain, through_l1=False),
                "into L1": bench.many_us(bench.ours, through_l1=True),
                "django-redis": bench.django_many_us,
            }
        )
        show("many keys of L2", many, unit="µs CPU a key", goal="4")
        concurrent = interleaved(
            {
                "ours": bench.concurrent_us(bench.ours, stored=True),
                "a unique item, asked and kept": bench.concurrent_us(bench.ours, stored=False),
                "redis-py asyncio": bench.pooled_concurrent_us,
            }
        )
        show("callers at once, L1 misses", concurrent, unit="µs CPU a key", goal="10; unique 30")
        bench.close()


if __name__ == "__main__":
    main()
