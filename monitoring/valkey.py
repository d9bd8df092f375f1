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


def _connect(**timeouts: float) -> redis.Redis:
    if not settings.REDIS_URL:
        raise ValkeyUnset("REDIS_URL is not set")
    return redis.Redis.from_url(
        settings.REDIS_URL, retry=Retry(NoBackoff(), 0), decode_responses=True, **timeouts
    )
