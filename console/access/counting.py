"""Calls of a minute on the cache server, by the `limits` library: what all web processes share."""

import time
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from limits import RateLimitItemPerMinute
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter

from monitoring import valkey


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """How many calls were granted, and in how many seconds the minute that counts them ends."""

    calls: int
    ends_in_s: float


class Counter(Protocol):
    """Where the fleet counts. Raises redis.RedisError when it cannot say."""

    def draw(self, key: str, calls: int) -> Grant: ...


class ValkeyCounter:
    """At most `rate` calls a minute and key. A minute begins with the first call in it."""

    def __init__(self, rate: int) -> None:
        self._rate = RateLimitItemPerMinute(rate)

    @cached_property
    def _window(self) -> FixedWindowRateLimiter:
        # Of the pool that all short commands use, which gives up after a quarter of a second.
        pool = valkey.client().connection_pool
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix="switchyard:quota")
        return FixedWindowRateLimiter(storage)

    def draw(self, key: str, calls: int) -> Grant:
        """Up to `calls`: as many as are left. What is refused costs the key nothing."""
        left, ends_in_s = self._left(key)
        granted = min(calls, left)
        # Another process may have taken them since: the library then counts and refuses.
        if granted and not self._window.hit(self._rate, key, cost=granted):
            granted = 0
        if left >= self._rate.amount:
            left, ends_in_s = self._left(key)
        return Grant(calls=granted, ends_in_s=ends_in_s)

    def _left(self, key: str) -> tuple[int, float]:
        stats = self._window.get_window_stats(self._rate, key)
        return stats.remaining, max(1.0, stats.reset_time - time.time())
