"""What lies in the cache server's database of a drill: told apart by when it was written."""

import time
from typing import Final, NamedTuple

import redis

from validation.cache.keys import PREFIX, kind_of
from validation.cache.marks import is_token
from validation.cache.steering import Steering

_ANSWER_S: Final = 2.0
# What was answered is written behind it: all is there when nothing has come for so long.
_QUIET_S: Final = 0.2
_SETTLE_S: Final = 3.0
_PAUSE_S: Final = 0.02


class Read(NamedTuple):
    """So many are still there, and so many of them are read."""

    there: int
    read: int


class Kept:
    """Raises redis.RedisError where the server does not answer."""

    def __init__(self, url: str) -> None:
        self._client = redis.Redis.from_url(url, socket_timeout=_ANSWER_S)
        self._marked: dict[bytes, bytes] = {}

    def mark(self) -> None:
        """What is written from now on is told apart from what is there."""
        self._marked = self._settled()

    def written(self) -> list[bytes]:
        """The keys of what is other than at the mark."""
        now = self._settled()
        return [key for key, value in now.items() if self._marked.get(key) != value]

    def read_by(self, cache: Steering, keys: list[bytes]) -> Read:
        counts = dict(zip(keys, cache.reads(keys), strict=True))
        there = {key for key in keys if counts[key] or self._client.exists(key)}
        return Read(there=len(there), read=sum(counts.values()))

    def close(self) -> None:
        self._client.close()

    def _settled(self) -> dict[bytes, bytes]:
        changed_at, found = time.monotonic(), self._entries()
        until = changed_at + _SETTLE_S
        while (now := time.monotonic()) < min(until, changed_at + _QUIET_S):
            time.sleep(_PAUSE_S)
            before, found = found, self._entries()
            if before != found:
                changed_at = now
        return found

    def _entries(self) -> dict[bytes, bytes]:
        """Neither marks of who is asking, nor what the cache keeps to stay in step."""
        keys = [key for key in self._client.scan_iter(PREFIX + b"*", count=1_000) if kind_of(key)]
        if not keys:
            return {}
        told = zip(keys, self._client.mget(keys), strict=True)
        return {
            key: value for key, value in told if isinstance(value, bytes) and not is_token(value)
        }
