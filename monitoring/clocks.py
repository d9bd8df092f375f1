"""How far this process's wall clock is from the cache server's, and how surely that is known."""

import time
from collections.abc import Callable

import msgspec

from monitoring import valkey


class ClockReading(msgspec.Struct, kw_only=True, frozen=True):
    """The truth is no further than `within_s` from `ahead_s`: the answer was on its way for no
    longer than the question and it took together, however busy machine and server are.
    """

    ahead_s: float
    within_s: float


def read(
    *,
    wall: Callable[[], float] = time.time,
    steady: Callable[[], float] = time.monotonic,
) -> ClockReading:
    """Raises redis.RedisError when the cache server is gone."""
    asked_at, begun = wall(), steady()
    seconds, microseconds = valkey.client().time()
    half_s = (steady() - begun) / 2
    return ClockReading(ahead_s=asked_at + half_s - (seconds + microseconds / 1e6), within_s=half_s)
