"""Collects the bodies of requests before anyone works on them, bounded in number, bytes and time.

A body comes before anybody can ask who sends it: one without a session cookie or a token stays
small, one that comes too slowly is let go, and all of them together fit a share of the disk.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import IO

import structlog

from console.wire import Headers, Receive, Refused, Scope

_IN_MEMORY = 256 * 1024
_MB = 2**20
_DIGITS = 15
_TOKEN_HEADERS = {b"authorization", b"x-api-key"}

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyConfig:
    """`receiving` bodies come in at once, each up to `max_body` bytes, together `all_bodies`.

    `anonymous_body` is for who shows neither session nor token. A client may be silent for `idle_s`
    and has `grace_s`, and a second more for each `slowest` bytes that came.
    """

    receiving: int = 256
    max_body: int = 100 * _MB
    anonymous_body: int = _MB
    all_bodies: int = 1024 * _MB
    idle_s: float = 15.0
    grace_s: float = 20.0
    slowest: int = 32 * 1024
    session_cookie: str = "sessionid"


@dataclass(slots=True)
class _Arrival:
    spool: IO[bytes]
    known: bool
    began: float
    size: int = 0


class Bodies:
    """All bodies that one process holds, from their first byte to the end of their answer."""

    def __init__(self, config: BodyConfig, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._receiving = 0
        self._held = 0

    @asynccontextmanager
    async def of(self, scope: Scope, receive: Receive) -> AsyncIterator[IO[bytes] | None]:
        """The whole body, held inside the block; None where the client left while it was sending.

        Raises `Refused`.
        """
        headers: Headers = scope["headers"]
        declared = _declared(headers)
        if declared == 0:
            yield BytesIO()
            return
        known = _shows_who(headers, self._config.session_cookie.encode())
        if self._receiving >= self._config.receiving:
            raise Refused(503, "Too many uploads at once. Try again in a second.", closes=True)
        self._check(declared or 0, declared or 0, known=known)
        with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as spool:
            arrival = _Arrival(spool, known, self._clock())
            try:
                yield spool if await self._received(arrival, receive) else None
            finally:
                self._held -= arrival.size

    async def _received(self, arrival: _Arrival, receive: Receive) -> bool:
        self._receiving += 1
        try:
            whole = await self._collect(arrival, receive)
        finally:
            self._receiving -= 1
        arrival.spool.seek(0)
        return whole

    async def _collect(self, arrival: _Arrival, receive: Receive) -> bool:
        """Whether the whole body came."""
        while True:
            try:
                async with asyncio.timeout(self._patience(arrival)):
                    message = await receive()
            except TimeoutError as exc:
                raise self._too_slow() from exc
            if message["type"] == "http.disconnect":
                return False
            part: bytes = message.get("body", b"")
            self._check(len(part), arrival.size + len(part), known=arrival.known)
            arrival.size += len(part)
            self._held += len(part)
            try:
                arrival.spool.write(part)
            except OSError as exc:
                log.exception("body_not_spooled", size=arrival.size)
                reason = "The disk has no room for uploads now. Try again later."
                raise Refused(503, reason, closes=True) from exc
            if not message.get("more_body", False):
                return True

    def _patience(self, arrival: _Arrival) -> float:
        """How long the next part may take."""
        config = self._config
        allowed = config.grace_s + arrival.size / config.slowest
        left = arrival.began + allowed - self._clock()
        if left <= 0:
            raise self._too_slow()
        return min(left, config.idle_s)

    def _too_slow(self) -> Refused:
        least = self._config.slowest // 1024
        reason = f"The body came too slowly: send at least {least} kB a second, without pauses."
        return Refused(408, reason, closes=True)

    def _check(self, more: int, size: int, *, known: bool) -> None:
        """Whether `more` bytes fit, which make this body `size` bytes long."""
        config = self._config
        if size > config.max_body:
            reason = f"The body is larger than {config.max_body // _MB} MB: send it in parts."
            raise Refused(413, reason, closes=True)
        if not known and size > config.anonymous_body:
            mb = config.anonymous_body // _MB
            reason = f"Without a session or a token a body holds {mb} MB: sign in or send a token."
            raise Refused(413, reason, closes=True)
        if self._held + more > config.all_bodies:
            reason = "The console holds as many uploads as it can. Try again in a minute."
            raise Refused(503, reason, closes=True)


def _declared(headers: Headers) -> int | None:
    """The length a body is said to have, 0 where there is none; None: it will show."""
    said = dict(headers)
    if b"transfer-encoding" in said:
        return None
    length = said.get(b"content-length", b"0")
    if not length.isdigit() or len(length) > _DIGITS:
        raise Refused(400, "Content-Length is not a length.", closes=True)
    return int(length)


def _shows_who(headers: Headers, session_cookie: bytes) -> bool:
    """Whether somebody is named at all; who it is, and whether it is true, is asked later."""
    for name, value in headers:
        if name in _TOKEN_HEADERS:
            return True
        if name == b"cookie":
            names = (part.partition(b"=")[0].strip() for part in value.split(b";"))
            if session_cookie in names:
                return True
    return False
