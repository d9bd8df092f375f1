"""A database of the cache server that nobody else uses, taken for as long as an experiment runs."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from django.conf import settings

from validation.cache.backplane import TABLE
from validation.cache.keys import PREFIX

_NUMBERS: Final = range(15, 0, -1)
_MARK: Final = "switchyard:experiment"
# Whoever is killed gives it back so late.
_KEPT_S: Final = 900
_ANSWER_S: Final = 2.0


class NoDatabase(Exception):
    """None is free, or no cache server answers; says which."""


@contextmanager
def taken() -> Iterator[str]:
    """Its URL. Only an empty one is taken, and it is empty again afterwards."""
    if not settings.REDIS_URL:
        raise NoDatabase("This claim is measured with a cache server: set REDIS_URL.")
    used = {_number(url) for url in (settings.REDIS_URL, settings.CELERY_BROKER_URL) if url}
    token = secrets.token_hex(8)
    for number in _NUMBERS:
        if number in used:
            continue
        url = with_number(settings.REDIS_URL, number)
        client = redis.Redis.from_url(url, socket_timeout=_ANSWER_S)
        try:
            if not _take(client, token):
                continue
            try:
                yield url
            finally:
                if client.get(_MARK) == token.encode():
                    client.flushdb()
        except (redis.ConnectionError, redis.TimeoutError) as exc:
            raise NoDatabase("The cache server of REDIS_URL does not answer.") from exc
        finally:
            client.close()
        return
    raise NoDatabase("The cache server has no empty database (1 to 15) for an experiment.")


def empty(url: str) -> None:
    """Drops what engines have stored; by which they stay in step, the table of purges, stays."""
    client = redis.Redis.from_url(url, socket_timeout=_ANSWER_S)
    try:
        found = [key for key in client.scan_iter(PREFIX + b"*", count=1_000) if key != TABLE]
        if found:
            client.delete(*found)
    except redis.RedisError as exc:
        raise NoDatabase(f"The cache server fails: {type(exc).__name__}.") from exc
    finally:
        client.close()


def with_number(url: str, number: int) -> str:
    """The URL of another database of the same server."""
    parts = urlsplit(url)
    query = urlencode(dict(parse_qsl(parts.query)) | {"db": str(number)})
    # A socket's path says where; that of a host is a number, which `db` says now.
    path = parts.path if parts.scheme == "unix" else "/"
    return f"{parts.scheme}://{parts.netloc}{path}?{query}"


def _take(client: redis.Redis, token: str) -> bool:
    """Marked first, looked at then: of two who come at once one finds the mark."""
    try:
        if not client.set(_MARK, token, nx=True, ex=_KEPT_S):
            return False
        if client.dbsize() == 1:
            return True
        client.delete(_MARK)
    except redis.ResponseError:  # a server with fewer databases, or one alone
        return False
    return False


def _number(url: str) -> int:
    parts = urlsplit(url)
    text = dict(parse_qsl(parts.query)).get("db") or (
        "" if parts.scheme == "unix" else parts.path.strip("/")
    )
    return int(text) if text.isdigit() else 0
