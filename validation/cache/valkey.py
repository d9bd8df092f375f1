"""One connection to Valkey or Redis: the commands of a tick leave in one write, answers come back
in their order.

A server that owes an answer and is silent for `timeout_s` loses the connection, so that nobody
waits for it twice.
"""

import asyncio
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, Protocol, cast
from urllib.parse import parse_qs, unquote, urlsplit

import hiredis

from validation.cache.errors import CacheError
from validation.resilience import Rejected, State

_MAX_REPLY_BYTES: Final = 64 << 20
_MAX_UNSENT_BYTES: Final = 16 << 20
_MAX_WAITING: Final = 50_000
_GRACE_S: Final = 0.005
_LONGEST_S: Final = 1.0
_MORE: Final = object()


class ValkeyGone(CacheError):
    """The server is not there, went away, was silent for too long or speaks no RESP."""

    reason: ClassVar[str] = "l2_gone"
    retryable: ClassVar[bool] = True
    trips_breaker: ClassVar[bool] = True


class ValkeyShut(CacheError):
    """Not asked: the breaker lets nothing pass, or too much waits already."""

    reason: ClassVar[str] = "l2_shut"
    retryable: ClassVar[bool] = True


class ValkeyRefused(CacheError):
    """The server answered this one command with an error."""

    reason: ClassVar[str] = "l2_refused"


class Gate(Protocol):
    """What of a breaker is used here: once for all commands of a tick."""

    @property
    def state(self) -> State: ...

    def admits(self) -> bool: ...

    def admit(self) -> Any: ...

    def settle(
        self, permit: Any, *, error: BaseException | None = None, duration_s: float
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where the server is, read from `unix://`, `redis://` or `rediss://` as redis-py reads it."""

    path: str = ""
    host: str = ""
    port: int = 6379
    tls: bool = False
    db: int = 0
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    @property
    def label(self) -> str:
        """Without what it takes to get in."""
        return self.path or f"{self.host}:{self.port}"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """ValueError, without the URL in it, where it is none of the three."""
        parts = urlsplit(url)
        given = {name: values[0] for name, values in parse_qs(parts.query).items()}
        user, password = unquote(parts.username or ""), unquote(parts.password or "")
        if parts.scheme == "unix":
            db = given.get("db", "0")
            place = {"path": unquote(parts.path)}
        elif parts.scheme in {"redis", "rediss"}:
            db = given.get("db") or parts.path.strip("/") or "0"
            place = {"host": parts.hostname or "localhost"}
        else:
            raise ValueError("the cache server's URL starts with unix://, redis:// or rediss://")
        if not db.isdigit():
            raise ValueError("the cache server's URL: its database is no number")
        return cls(
            **place,
            port=parts.port or 6379,
            tls=parts.scheme == "rediss",
            db=int(db),
            user=user,
            password=password,
        )

    def greeting(self) -> list[bytes]:
        """The commands that a new connection begins with."""
        commands = []
        if self.password:
            who = (self.user, self.password) if self.user else (self.password,)
            commands.append(command("AUTH", *who))
        if self.db:
            commands.append(command("SELECT", self.db))
        return commands


def is_forced(gate: Gate) -> bool:
    """Whether an operator holds it open: then nothing leaves, not even a probe."""
    return not gate.admits() and gate.state is State.FORCED_OPEN


def command(*words: str | bytes | float) -> bytes:
    return hiredis.pack_command(words)  # type: ignore[arg-type,no-any-return]  # its stub lacks dots


class Batch:
    """What left in one write: how many answers are to come, since when, under which permit."""

    __slots__ = ("permit", "sent_at", "waiting")

    def __init__(self, waiting: int, sent_at: float, permit: Any) -> None:
        self.waiting = waiting
        self.sent_at = sent_at
        self.permit = permit


class Wire(asyncio.Protocol):
    """The connection. Belongs to its loop's thread; once lost it stays so."""

    def __init__(self, loop: asyncio.AbstractEventLoop, gate: Gate, *, timeout_s: float) -> None:
        self._loop = loop
        self._gate = gate
        self._timeout_s = timeout_s
        self._reader = hiredis.Reader(notEnoughData=_MORE)
        self._transport: asyncio.WriteTransport | None = None
        self._out: list[bytes] = []
        self._permit: Any = None
        self._waiting: deque[asyncio.Future[Any] | None] = deque()
        self._batches: deque[Batch] = deque()
        self._watch: asyncio.TimerHandle | None = None
        self._heard_at = 0.0
        self._unread = 0
        self._is_full = False
        self.is_open = False
        self.refused = 0
        """Error answers to commands whose answer nobody waits for."""

    def ask(self, packed: bytes) -> "asyncio.Future[Any]":
        """The answer to one command, sent with the others of this tick.

        Raises `ValkeyShut` where it may not be sent; the future may hold any of the three errors.
        """
        if self._permit is None:
            self._pass_gate()
        return self.probe(packed)

    def tell(self, packed: bytes) -> None:
        """As `ask`, for a command whose answer does not matter."""
        if self._permit is None:
            self._pass_gate()
        self._enqueue(packed, None)

    def probe(self, packed: bytes) -> "asyncio.Future[Any]":
        """As `ask`, past the gate: how a server whose breaker is open is found to be back."""
        if not self.is_open:
            raise ValkeyGone("the connection is closed")
        future = self._loop.create_future()
        self._enqueue(packed, future)
        return future

    def close(self, reason: str) -> None:
        """Fails what waits. Harmless when it is closed already."""
        if not self.is_open:
            return
        self.is_open = False
        if self._transport is not None:
            self._transport.abort()
        self._fail(ValkeyGone(reason))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)
        self._transport.set_write_buffer_limits(high=_MAX_UNSENT_BYTES)
        self.is_open = True

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.is_open:
            self.is_open = False
            self._fail(ValkeyGone("the cache server closed the connection"))

    def pause_writing(self) -> None:
        self._is_full = True

    def resume_writing(self) -> None:
        self._is_full = False

    def data_received(self, data: bytes) -> None:
        reader, waiting, answered = self._reader, self._waiting, 0
        self._heard_at = self._loop.time()
        gets = reader.gets
        try:
            reader.feed(data)
            while (reply := gets()) is not _MORE:
                future = waiting.popleft()
                answered += 1
                if type(reply) is hiredis.ReplyError:
                    self._refuse(future, reply)
                elif future is not None and not future.done():
                    future.set_result(reply)
        except (hiredis.HiredisError, IndexError):
            self.close("the cache server answered something that is not RESP, or unasked")
            return
        self._unread = 0 if answered else self._unread + len(data)
        if self._unread > _MAX_REPLY_BYTES:
            self.close(f"the cache server's answer is larger than {_MAX_REPLY_BYTES} bytes")
        elif answered:
            self._settle(answered)

    def _pass_gate(self) -> None:
        if not self.is_open or self._is_full or len(self._waiting) >= _MAX_WAITING:
            raise ValkeyShut("the connection is closed or full")
        try:
            self._permit = self._gate.admit()
        except Rejected as exc:
            raise ValkeyShut(str(exc)) from None

    def _enqueue(self, packed: bytes, future: "asyncio.Future[Any] | None") -> None:
        if not self._out:
            self._loop.call_soon(self._flush)
        self._out.append(packed)
        self._waiting.append(future)

    def _flush(self) -> None:
        out, permit = self._out, self._permit
        self._out, self._permit = [], None
        if out and is_forced(self._gate):  # since they were admitted, within this very tick
            self._take_back(len(out), permit)
            return
        now = self._loop.time()
        if out and self.is_open and self._transport is not None:
            self._batches.append(Batch(len(out), now, permit))
            self._transport.write(out[0] if len(out) == 1 else b"".join(out))
            if self._watch is None:
                self._watch = self._loop.call_later(self._timeout_s, self._look, 0.0)
        elif permit is not None:
            self._gate.settle(permit, error=ValkeyGone("closed"), duration_s=0.0)

    def _take_back(self, count: int, permit: Any) -> None:
        """The commands that came last do not leave after all."""
        shut = ValkeyShut("an operator holds the breaker open")
        if permit is not None:
            self._gate.settle(permit, error=shut, duration_s=0.0)
        # None are left where the connection was closed meanwhile.
        taken = [self._waiting.pop() for _ in range(min(count, len(self._waiting)))]
        for future in taken:
            if future is not None and not future.done():
                future.set_exception(ValkeyShut(*shut.args))

    def _settle(self, answered: int) -> None:
        batches = self._batches
        while answered and batches:
            batch = batches[0]
            if batch.waiting > answered:
                batch.waiting -= answered
                return
            answered -= batch.waiting
            batches.popleft()
            if batch.permit is not None:
                self._gate.settle(batch.permit, duration_s=self._loop.time() - batch.sent_at)

    def _look(self, quiet_since: float) -> None:
        """Whether the oldest batch has waited in silence for too long, or in vain for longer still.

        A loop that was held up may find the time gone before it has read what came meanwhile: it
        is given another turn.
        """
        self._watch = None
        if not self._batches or not self.is_open:
            return
        sent_at, now = self._batches[0].sent_at, self._loop.time()
        quiet_at = max(sent_at, self._heard_at)
        left_s = quiet_at + self._timeout_s - now
        if now - sent_at > max(_LONGEST_S, self._timeout_s):
            self.close(f"the cache server did not finish an answer in {now - sent_at:.1f} s")
        elif left_s > 0:
            self._watch = self._loop.call_later(left_s, self._look, 0.0)
        elif quiet_since != quiet_at:
            self._watch = self._loop.call_later(_GRACE_S, self._look, quiet_at)
        else:
            self.close(f"the cache server was silent for {self._timeout_s:g} s")

    def _refuse(self, future: "asyncio.Future[Any] | None", reply: Exception) -> None:
        if future is None:
            self.refused += 1
        elif not future.done():
            future.set_exception(ValkeyRefused(str(reply)[:200]))

    def _fail(self, error: ValkeyGone) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        now = self._loop.time()
        batches, waiting = list(self._batches), list(self._waiting)
        self._batches.clear()
        self._waiting.clear()
        for batch in batches:
            if batch.permit is not None:
                self._gate.settle(batch.permit, error=error, duration_s=now - batch.sent_at)
        for future in waiting:
            if future is not None and not future.done():
                future.set_exception(ValkeyGone(*error.args))


async def dial(address: Address, gate: Gate, *, timeout_s: float, connect_s: float) -> Wire:
    """A connection that has been greeted. Raises OSError, TimeoutError or CacheError."""
    loop = asyncio.get_running_loop()

    def make() -> Wire:
        return Wire(loop, gate, timeout_s=timeout_s)

    async with asyncio.timeout(connect_s):
        if address.path:
            _, wire = await loop.create_unix_connection(make, address.path)
        else:
            tls = ssl.create_default_context() if address.tls else None
            _, wire = await loop.create_connection(make, address.host, address.port, ssl=tls)
        try:
            for greeting in address.greeting():
                await wire.probe(greeting)
        except BaseException:
            wire.close("it was not let in")
            raise
    return wire
