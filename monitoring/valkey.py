"""Clients of the cache server. Each says how long a caller may be kept waiting when it is gone."""

from functools import cache
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.client import Pipeline
from redis.retry import Retry

from monitoring.absence import Absence

_SHORT_S = 0.25
_TRIED = "switchyard:tried"
_TRIED_S = 60


class ValkeyUnset(redis.ConnectionError):
    """REDIS_URL is not set: to a caller the same as a server that is down."""


@cache
def client() -> Any:
    """For short commands: fails within 0.25 s, and the caller goes on without; the next ones fail
    at once, until it answers again.

    `Any`, because redis-py's own types fit neither decoded answers nor pipelines.
    """
    return _connect(_Remembering, socket_timeout=_SHORT_S, socket_connect_timeout=_SHORT_S)


def blocking_client(timeout_s: float) -> Any:
    """For one reader that waits up to `timeout_s` on a stream; never shared with `client`."""
    return _connect(redis.Redis, socket_timeout=timeout_s + 1, socket_connect_timeout=1)


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


def refusal() -> str:
    """Why the server takes nothing though it answers; "" where it does take what is written.
    Raises redis.RedisError where it does not answer.
    """
    try:
        client().set(_TRIED, b"1", ex=_TRIED_S)
    except redis.exceptions.OutOfMemoryError:
        return "it is full"
    except redis.ReadOnlyError:
        return "it follows another server"
    except redis.ResponseError:
        return "it refuses to write"
    return ""


class _Remembering(redis.Redis):
    """Asks nothing while the server is known to let callers wait in vain."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.absence = Absence(_ping)

    def execute_command(self, *args: Any, **options: Any) -> Any:
        with self.absence.noticed():
            return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> Pipeline:
        pipe = _RememberingPipeline(
            self.connection_pool, self.response_callbacks, transaction, shard_hint
        )
        pipe.absence = self.absence
        return pipe


class _RememberingPipeline(Pipeline):
    absence: Absence

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        with self.absence.noticed():
            return super().execute(raise_on_error)


def _ping() -> None:
    """On a connection of its own: the others wait for what never came."""
    with _connect(redis.Redis, socket_timeout=_SHORT_S, socket_connect_timeout=_SHORT_S) as own:
        own.ping()


def _connect(kind: type[redis.Redis], **timeouts: float) -> redis.Redis:
    if not settings.REDIS_URL:
        raise ValkeyUnset("REDIS_URL is not set")
    return kind.from_url(
        settings.REDIS_URL,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
        encoding_errors="replace",  # rubbish is nobody's word, and no reason to fail
        **timeouts,
    )
