"""How this process reaches the fleet's Valkey: one small client, off the path of every item."""

import asyncio
from typing import Any

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_TIMEOUT_S = 0.25

AWAY = (RedisError, OSError, asyncio.TimeoutError)
"""Whatever says that Valkey cannot be asked now."""


def connect(url: str) -> Any:
    """A client that connects at its first command and fails within a quarter of a second.

    `Any`, because redis-py types its commands as synchronous or not.
    """
    return redis.asyncio.Redis.from_url(
        url,
        socket_timeout=_TIMEOUT_S,
        socket_connect_timeout=_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
