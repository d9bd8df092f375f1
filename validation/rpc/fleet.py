"""What the processes of a fleet agree on over Valkey: how much each may ask of a node, and whose
turn it is to look after one that is down. Off the path of every call.

Imported by whoever has a Valkey, and by nothing else in this package: `limits` and redis-py's
asynchronous half cost a process ten megabytes.
"""

import asyncio
from fractions import Fraction
from typing import Any, cast

import redis.asyncio
from limits import RateLimitItem, RateLimitItemPerSecond
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from validation.rpc.seams import FleetAway

_TIMEOUT_S = 0.25
_MAX_WINDOW_S = 20
_PROBE = "switchyard:probe:"
_RATE = "switchyard:rate"
_AWAY = (RedisError, OSError, asyncio.TimeoutError)


class ValkeyFleet:
    """A `Fleet`. Connects at its first command, in whichever loop that is, and fails within a
    quarter of a second.
    """

    def __init__(self, url: str) -> None:
        # `Any`: redis-py types its commands as synchronous or not.
        self._client: Any = redis.asyncio.Redis.from_url(
            url,
            socket_timeout=_TIMEOUT_S,
            socket_connect_timeout=_TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._limiter = _limiter(url, self._client)

    async def take(self, label: str, per_s: float, calls: int) -> int:
        item = _item(per_s)
        try:
            while calls > 0:
                cost = min(calls, item.amount)
                if await self._limiter.hit(item, label, cost=cost):
                    return cost
                calls = cost // 2
        except _AWAY as exc:
            raise FleetAway(type(exc).__name__) from exc
        return 0

    async def claim(self, label: str, value: bytes, for_s: float) -> bytes | None:
        try:
            found = await self._client.set(
                _PROBE + label, value, nx=True, get=True, px=int(for_s * 1000)
            )
        except _AWAY as exc:
            raise FleetAway(type(exc).__name__) from exc
        return cast(bytes | None, found)

    async def tell(self, label: str, value: bytes, for_s: float) -> None:
        try:
            await self._client.set(_PROBE + label, value, px=int(for_s * 1000))
        except _AWAY as exc:
            raise FleetAway(type(exc).__name__) from exc

    async def aclose(self) -> None:
        await self._client.aclose()


def _limiter(url: str, client: Any) -> SlidingWindowCounterRateLimiter:
    scheme, _, rest = url.partition("://")
    named = f"async+redis+unix://{rest}" if scheme == "unix" else f"async+{url}"
    storage = RedisStorage(
        named,
        implementation="redispy",
        key_prefix=_RATE,
        connection_pool=client.connection_pool,
    )
    return SlidingWindowCounterRateLimiter(storage)


def _item(per_s: float) -> RateLimitItem:
    """The rate in whole numbers, over as few seconds as that takes."""
    rate = Fraction(per_s).limit_denominator(_MAX_WINDOW_S)
    if not rate:
        return RateLimitItemPerSecond(1, round(1 / per_s))
    return RateLimitItemPerSecond(rate.numerator, rate.denominator)
