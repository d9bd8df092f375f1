"""Who wrote lately, and where the WAL stood then: until a replica has replayed that, it is not
asked by that person.

In Valkey for all web processes, by the person: a token has no cookie. In memory as well, and in a
cookie of browsers, for Valkey may forget, and one that was slow once was never told. While it is
away nobody reads from replicas, because nobody knows who wrote elsewhere.
"""

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import redis
from django.conf import settings
from django.core.signing import BadSignature
from django.http import HttpRequest, HttpResponseBase

from monitoring import valkey

# A replica that is in use is never so far behind, and one that comes back has caught up.
_FOR_S: Final = 60
_COOKIE: Final = "switchyard_wrote"
_PEOPLE: Final = 10_000
# Further than any replica gets: the primary has what was written.
ALL: Final = 2**64 - 1


class Written:
    """Of this process, and through `client` of all."""

    def __init__(
        self,
        *,
        client: Callable[[], Any] = valkey.client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._clock = clock
        self._lock = threading.Lock()
        self._own: dict[int, tuple[float, int]] = {}

    def note(self, person: int, lsn: int) -> None:
        """What the person wrote is in the WAL up to `lsn`."""
        with self._lock:
            # At the end: the first is the one that wrote longest ago.
            self._own.pop(person, None)
            self._own[person] = (self._clock(), lsn)
            if len(self._own) > _PEOPLE:
                del self._own[next(iter(self._own))]
        try:
            self._client().set(_key(person), lsn, ex=_FOR_S)
        except redis.RedisError:
            return  # a browser carries it, and this process knows it; others read on

    def needs(self, person: int) -> int:
        """The least position of a replica that the person may read from; 0: any."""
        with self._lock:
            at, own = self._own.get(person, (float("-inf"), 0))
        if self._clock() - at > _FOR_S:
            own = 0
        try:
            told = self._client().get(_key(person))
            return max(own, int(told or 0))
        except (redis.RedisError, ValueError):
            return ALL


def carry(response: HttpResponseBase, lsn: int | None) -> None:
    """Has the browser say where the WAL stood, for as long as that matters."""
    if lsn is not None:
        response.set_signed_cookie(
            _COOKIE,
            str(lsn),
            max_age=_FOR_S,
            httponly=True,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )


def carried(request: HttpRequest) -> int:
    """What the browser says; 0: nothing that we signed within the time."""
    try:
        return int(request.get_signed_cookie(_COOKIE, default="", max_age=_FOR_S) or 0)
    except (BadSignature, ValueError):
        return 0


def _key(person: int) -> str:
    return f"switchyard:wrote:{person}"
