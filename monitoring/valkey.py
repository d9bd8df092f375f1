"""Clients of the cache server. Each says how long a caller may be kept waiting when it is gone."""

from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry


class ValkeyUnset(redis.ConnectionError):
    """REDIS_URL is not set: to a caller the same as a server that is down."""


@cache
def client() -> Any:
    """For short commands: fails within 0.25 s, and the caller goes on without.

    `Any`, because redis-py's own types fit neither decoded answers nor pipelines.
    """
    return _connect(socket_timeout=0.25, socket_connect_timeout=0.25)


def blocking_client(timeout_s: float) -> Any:
    """For one reader that waits up to `timeout_s` on a stream; never shared with `client`."""
    return _connect(socket_timeout=timeout_s + 1, socket_connect_timeout=1)


def announce(index: str, name: str, key: str, body: bytes, *, life_s: int) -> None:
    """Writes `body` under `key` and `name` into the set of names, in the place of whatever else
    lies there: this server is a cache, and anybody may have written to it. Raises
    redis.RedisError when it is gone.
    """
    pipe = client().pipeline(transaction=False)
    pipe.set(key, body, ex=life_s)
    pipe.sadd(index, name)
    try:
        pipe.execute()
    except redis.ResponseError as exc:
        if "WRONGTYPE" not in str(exc):
            raise
        client().delete(index)
        client().sadd(index, name)


def _connect(**timeouts: float) -> redis.Redis:
    if not settings.REDIS_URL:
        raise ValkeyUnset("REDIS_URL is not set")
    return redis.Redis.from_url(
        settings.REDIS_URL,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        encoding_errors="replace",  # rubbish is nobody's word, and no reason to fail
        **timeouts,
    )
