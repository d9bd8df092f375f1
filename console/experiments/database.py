"""A database of the cache server that nobody else uses, taken for as long as an experiment runs."""

import contextlib
import secrets
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis
from django.conf import settings

from validation.cache.backplane import TABLE
from validation.cache.keys import PREFIX

_NUMBERS: Final = range(15, 0, -1)
_MARK: Final = "switchyard:experiment"
# Says for ever that what else lies there is an experiment's: whoever is killed leaves it.
_OURS: Final = "switchyard:experiments"
# What engines write there; with anything else in it a database is somebody's.
_WRITTEN: Final = (PREFIX, b"switchyard:probe:", b"switchyard:rate")
# Whoever is killed gives it back so late; whoever is not renews it.
_KEPT_S: Final = 900
_RENEWED_S: Final = 300.0
_ANSWER_S: Final = 2.0


class NoDatabase(Exception):
    """None is free, or no cache server answers; says which."""


@contextlib.contextmanager
def taken() -> Iterator[str]:
    """Its URL. Only an empty one is taken, or one that an experiment left which was killed; it is
    empty again afterwards.
    """
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
                with _renewed(client, token):
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
        if not _is_free(client):
            client.delete(_MARK)
            return False
        with client.pipeline() as begun:
            begun.flushdb()
            begun.set(_MARK, token, ex=_KEPT_S)
            begun.set(_OURS, 1)
            begun.execute()
    except redis.ResponseError:  # a server with fewer databases, or one alone
        return False
    return True


def _is_free(client: redis.Redis) -> bool:
    """With one's own mark there. Somebody may have come to use what an experiment left."""
    if client.dbsize() == 1:
        return True
    known = (_MARK.encode(), _OURS.encode())
    return bool(client.exists(_OURS)) and all(
        key in known or key.startswith(_WRITTEN) for key in client.scan_iter(count=1_000)
    )


@contextlib.contextmanager
def _renewed(client: redis.Redis, token: str) -> Iterator[None]:
    """However long it takes. A mark that is another's by now is left alone."""
    is_over = threading.Event()

    def renew() -> None:
        while not is_over.wait(_RENEWED_S):
            with contextlib.suppress(redis.RedisError):  # it answers the next time, or is lost
                if client.get(_MARK) == token.encode():
                    client.expire(_MARK, _KEPT_S)

    thread = threading.Thread(target=renew, name="database", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join(_ANSWER_S)


def _number(url: str) -> int:
    parts = urlsplit(url)
    text = dict(parse_qsl(parts.query)).get("db") or (
        "" if parts.scheme == "unix" else parts.path.strip("/")
    )
    return int(text) if text.isdigit() else 0
