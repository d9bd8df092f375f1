"""OFREP's event stream: tells clients that flags changed, so that they ask for all of them again.

A browser's EventSource sends no headers, so the address itself is the permit: signed, for one
token, and for a limited time. It stays the same within that time, and so does a client's stream.
"""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import structlog
from django.core.signing import BadSignature, Signer

from console.flags.ofrep.callers import CANNOT_SAY
from console.flags.ofrep.wire import OfrepRefused, encode
from console.wire import Headers, Receive, Send, abort

PATH: Final = "/ofrep/v1/events"
# An address is given out for one to two hours.
LIFE_S: Final = 3_600
MAX_STREAMS: Final = 5_000
MAX_STREAMS_OF_A_TOKEN: Final = 1_000
BEAT_S: Final = 5.0
WRITE_S: Final = 10.0
LOOK_S: Final = 0.1
CHECK_S: Final = 1.0
# How long a newcomer waits for a slow database. A token that turns out to be revoked ends then.
PATIENCE_S: Final = 0.25
_DIGITS: Final = 18
_SALT: Final = "switchyard.ofrep.stream"

log = structlog.get_logger(__name__)


def address_for(token: int, now: float) -> str:
    """The path and query at which `token` may listen; the same for an hour."""
    ends = (int(now) // LIFE_S + 2) * LIFE_S
    return f"{PATH}?permit={Signer(salt=_SALT).sign_object([token, ends])}"


def permitted(permit: str, now: float) -> tuple[int, int]:
    """(token, when its time ends). Raises OfrepRefused for what is forged or over."""
    try:
        token, ends = map(int, Signer(salt=_SALT).unsign_object(permit))
    except (BadSignature, ValueError, TypeError) as exc:
        text = "This address of an event stream was not given out here: ask for all flags again."
        raise OfrepRefused(401, text) from exc
    if now >= ends:
        text = "The time of this event stream is over: ask for all flags again."
        raise OfrepRefused(401, text)
    return token, ends


class _Stream:
    """One client. It owns no queue: what it lacks is the newest revision, or a heartbeat."""

    __slots__ = ("beat_at", "ended", "ends", "seen", "token", "woken")

    def __init__(self, token: int, ends: float, seen: int | None) -> None:
        self.token = token
        self.ends = ends
        self.seen = seen
        self.ended = False
        self.woken = asyncio.Event()
        self.woken.set()
        self.beat_at = 0.0

    def end(self) -> None:
        self.ended = True
        self.woken.set()


class Streams:
    """All streams of this process; for the event loop's thread.

    `still_good` says which tokens are, and runs in a thread.
    """

    def __init__(
        self,
        revision: Callable[[], int],
        still_good: Callable[[Iterable[int]], set[int]],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._revision = revision
        self._still_good = still_good
        self._clock = clock
        self._streams: set[_Stream] = set()
        self._of_token: Counter[int] = Counter()
        self._ticker: asyncio.Task[None] | None = None
        self._check: asyncio.Task[None] | None = None
        # One for the check, one for those who come: neither queues behind the other.
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="ofrep-streams")
        self._door = ThreadPoolExecutor(1, thread_name_prefix="ofrep-door")

    async def serve(
        self, permit: str, last: str, headers: Headers, receive: Receive, send: Send
    ) -> None:
        """Raises OfrepRefused before anything was sent. `last`: the id of the last event that the
        client had; without one it is told at once, for something may have changed meanwhile.
        """
        token, ends = permitted(permit, self._clock())
        self._check_room(token)
        stream = _Stream(token, ends, _number(last))
        self._streams.add(stream)
        self._of_token[token] += 1
        try:
            if not await self._may_enter(token):
                raise OfrepRefused(401, "The token of this event stream is good no more.")
            head = {"type": "http.response.start", "status": 200, "headers": headers + _HEADERS}
            await send(head)
            await self._run(stream, receive, send)
        finally:
            self._streams.discard(stream)
            self._of_token -= Counter([token])

    def end(self) -> None:
        """Ends all in good order: clients come back by themselves."""
        for stream in self._streams:
            stream.end()

    def close(self) -> None:
        self.end()
        for task in (self._ticker, self._check):
            if task is not None:
                task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
        self._door.shutdown(wait=False, cancel_futures=True)

    def _check_room(self, token: int) -> None:
        if len(self._streams) >= MAX_STREAMS:
            raise OfrepRefused(503, "Too many event streams are open here.", retry_after_s=5)
        if self._of_token[token] >= MAX_STREAMS_OF_A_TOKEN:
            text = f"This token has {MAX_STREAMS_OF_A_TOKEN} event streams open: close some."
            raise OfrepRefused(429, text, retry_after_s=5)

    async def _run(self, stream: _Stream, receive: Receive, send: Send) -> None:
        if self._ticker is None or self._ticker.done():
            self._ticker = asyncio.get_running_loop().create_task(self._tick())
        gone = asyncio.ensure_future(_gone(receive))
        feed = asyncio.ensure_future(self._feed(stream, send))
        try:
            await asyncio.wait({gone, feed}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (gone, feed):
                task.cancel()
            results = await asyncio.gather(gone, feed, return_exceptions=True)
        if isinstance(results[1], TimeoutError):
            abort(send)

    async def _feed(self, stream: _Stream, send: Send) -> None:
        # Clients that a restart threw off together come back apart.
        body = b"retry: %d\n\n" % (1_000 + secrets.randbelow(4_000))
        while not stream.ended:
            stream.woken.clear()
            revision = self._revision()
            if revision != stream.seen:
                stream.seen = revision
                body += _event(revision, self._clock())
            elif not body and self._clock() >= stream.beat_at:
                body = b": heartbeat\n\n"
            if body:
                stream.beat_at = self._clock() + BEAT_S
                async with asyncio.timeout(WRITE_S):
                    await send({"type": "http.response.body", "body": body, "more_body": True})
                body = b""
            await stream.woken.wait()
        async with asyncio.timeout(WRITE_S):
            await send({"type": "http.response.body", "body": b""})

    async def _tick(self) -> None:
        """Looks at this process's copy, whose follower hears of changes: nothing is awaited here
        but the next look, so that no database keeps a change or a heartbeat back.
        """
        check_at = self._clock()
        while self._streams:
            await asyncio.sleep(LOOK_S)
            try:
                self._look()
                if self._clock() >= check_at and (self._check is None or self._check.done()):
                    check_at = self._clock() + CHECK_S
                    self._check = asyncio.get_running_loop().create_task(self._end_revoked())
            except Exception:
                # The streams of all hang on this loop: the next look may see what this did not.
                log.exception("ofrep.stream_look_failed")

    def _look(self) -> None:
        now, revision = self._clock(), self._revision()
        for stream in self._streams:
            if now >= stream.ends:
                stream.end()
            elif revision != stream.seen or now >= stream.beat_at:
                stream.woken.set()

    async def _end_revoked(self) -> None:
        asked = {stream.token for stream in self._streams}
        revoked = asked - await self._good(asked, self._threads)
        for stream in self._streams:
            if stream.token in revoked:
                stream.end()

    async def _may_enter(self, token: int) -> bool:
        try:
            async with asyncio.timeout(PATIENCE_S):
                return token in await self._good({token}, self._door)
        except TimeoutError:
            return True

    async def _good(self, tokens: set[int], threads: ThreadPoolExecutor) -> set[int]:
        """While the database cannot say, they are: an address is short-lived anyhow."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(threads, self._still_good, tokens)
        except CANNOT_SAY:
            return tokens
        except Exception:
            # None of what a database says: whoever is there stays, nobody new comes.
            log.exception("ofrep.stream_check_failed")
            return tokens if threads is self._threads else set()


def _event(revision: int, now: float) -> bytes:
    """`lastModified` is when this process heard of it."""
    data = {"type": "refetchEvaluation", "etag": tag_of(revision), "lastModified": int(now)}
    return b"id: %d\nevent: message\ndata: %s\n\n" % (revision, encode(data))


def tag_of(revision: int) -> str:
    """The flags' own, whoever asks: what comes back as `flagConfigEtag`."""
    return f"r{revision}"


def revision_of(tag: str) -> int:
    """0 for what is none of ours."""
    return _number(tag.strip('"').removeprefix("r")) or 0


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else None


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


_HEADERS: Final[Headers] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
