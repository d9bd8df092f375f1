"""Which tokens may evaluate flags: asked of the database once in a while, never once a call.

A revoked token is refused within two seconds. While the database cannot say, or lets wait, what it
said within the last ten minutes still holds: an outage is when flags are wanted most.
"""

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final

from django.db import Error, close_old_connections
from psycopg_pool import PoolTimeout, TooManyRequests

from console.access.models import ApiToken
from console.access.scopes import Scope
from console.access.tokens import SECRET_PREFIX, authenticate
from console.flags.ofrep.wire import OfrepRefused

# The database is away, or every connection is taken.
CANNOT_SAY: Final = (Error, PoolTimeout, TooManyRequests)
FRESH_S: Final = 1.0
STALE_S: Final = 2.0
REMEMBERED_S: Final = 600.0
# How long a token that was good waits for the database to say so again.
PATIENCE_S: Final = 0.25
_GOOD: Final = 10_000
_BAD: Final = 1_000
_PENDING: Final = 64
_NOBODY: Final = "This token is unknown, expired or revoked: make another in Settings."
_NARROW: Final = "This token may not evaluate flags: make one with the scope ofrep in Settings."


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the database said of a token. `may`: evaluate flags."""

    token: int
    may: bool


@dataclass(frozen=True, slots=True)
class _Said:
    standing: Standing | None
    # When the database said it, and when it was asked last.
    at: float
    asked_at: float


def standing_of(secret: str) -> Standing | None:
    """In a thread; its database connection is given back."""
    try:
        caller = authenticate(secret)
        if caller is None or caller.token is None:
            return None
        return Standing(token=caller.token.pk, may=caller.may(Scope.OFREP))
    finally:
        close_old_connections()


def still_good(tokens: Iterable[int]) -> set[int]:
    """Those of `tokens` that may evaluate flags now; in a thread. Raises what is in CANNOT_SAY.

    The role of an owner is not asked: to evaluate takes the lowest, which all active ones have.
    """
    try:
        found = ApiToken.objects.usable().filter(pk__in=tokens)
        return {token.pk for token in found if Scope.OFREP in token.granted}
    finally:
        close_old_connections()


class Callers:
    """For the event loop's thread."""

    def __init__(
        self,
        *,
        ask: Callable[[str], Standing | None] = standing_of,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._said: dict[bytes, _Said] = {}
        self._unknown: dict[bytes, _Said] = {}
        self._asking: dict[bytes, asyncio.Task[_Said]] = {}
        # Those whom nobody knows queue apart: who guesses keeps none waiting that was good.
        self._strangers: set[bytes] = set()
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="ofrep-auth")
        self._door = ThreadPoolExecutor(1, thread_name_prefix="ofrep-door")

    async def of(self, secret: str) -> Standing:
        """Raises OfrepRefused: 401, 403, or 503 where nobody can say."""
        if not secret.startswith(SECRET_PREFIX):
            raise OfrepRefused(401, _NOBODY, closes=True)
        digest = sha256(secret.encode("utf-8", "replace")).digest()
        said = self._said.get(digest) or self._unknown.get(digest)
        age = self._clock() - said.asked_at if said else STALE_S
        if said is None or age >= STALE_S:
            said = await self._hear(digest, secret)
        elif age >= FRESH_S and digest not in self._asking and self._has_room(digest):
            self._look_up(digest, secret).add_done_callback(_end)
        if said.standing is None:
            raise OfrepRefused(401, _NOBODY, closes=True)
        if not said.standing.may:
            raise OfrepRefused(403, _NARROW, closes=True)
        return said.standing

    def close(self) -> None:
        for threads in (self._threads, self._door):
            threads.shutdown(wait=False, cancel_futures=True)

    async def _hear(self, digest: bytes, secret: str) -> _Said:
        """What the database says; what it said, of a token that was good, where it lets wait."""
        task = self._look_up(digest, secret)
        before = self._said.get(digest)
        if before is None or self._clock() - before.at > REMEMBERED_S:
            return await asyncio.shield(task)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await asyncio.shield(task)
        except TimeoutError:
            task.add_done_callback(_end)
            # Asked of just now, as far as the next calls go: they are not to wait as well.
            self._said[digest] = replace(before, asked_at=self._clock())
            return before

    def _has_room(self, digest: bytes) -> bool:
        """Whoever was good may always be asked of: there are no more of them than are known."""
        return digest in self._said or len(self._strangers) < _PENDING

    def _look_up(self, digest: bytes, secret: str) -> "asyncio.Task[_Said]":
        """One question at a time for each token, however many calls wait for it."""
        task = self._asking.get(digest)
        if task is None:
            if not self._has_room(digest):
                text = "Too many tokens are being looked up. Try again in a second."
                raise OfrepRefused(503, text, retry_after_s=1, closes=True)
            loop = asyncio.get_running_loop()
            threads = self._threads
            if digest not in self._said:
                self._strangers.add(digest)
                threads = self._door
            task = loop.create_task(self._answered(digest, secret, threads))
            self._asking[digest] = task
        return task

    async def _answered(self, digest: bytes, secret: str, threads: ThreadPoolExecutor) -> _Said:
        loop = asyncio.get_running_loop()
        asked_at = self._clock()
        try:
            standing = await loop.run_in_executor(threads, self._ask, secret)
        except CANNOT_SAY as exc:
            before = self._said.get(digest)
            if before is None or asked_at - before.at > REMEMBERED_S:
                text = "The token cannot be checked: the database does not answer."
                raise OfrepRefused(503, text, retry_after_s=2) from exc
            said = replace(before, asked_at=self._clock())
        else:
            said = _Said(standing, asked_at, asked_at)
        finally:
            del self._asking[digest]
            self._strangers.discard(digest)
        self._keep(digest, said)
        return said

    def _keep(self, digest: bytes, said: _Said) -> None:
        self._said.pop(digest, None)
        self._unknown.pop(digest, None)
        # Apart: whoever guesses must not push out those who are known.
        kept, most = (self._said, _GOOD) if said.standing else (self._unknown, _BAD)
        kept[digest] = said
        if len(kept) > most:
            del kept[next(iter(kept))]


def _end(task: "asyncio.Task[_Said]") -> None:
    """Nobody waits for it: the next call asks again."""
    if not task.cancelled():
        task.exception()
