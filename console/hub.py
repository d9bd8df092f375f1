"""Renders live topics once for all who look on, and hands each client what it has not seen.

Everything here runs on the event loop but `_call`, which renders in a thread. A client owns no
queue of bytes: what it lacks is a set of region names, filled in with the newest content when it
can take it, so a slow client costs no memory and sees no stale step.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Protocol

import redis
import structlog
from django.db import close_old_connections

from console.access.roles import Role
from console.wire import Send, abort
from monitoring import events

NUDGED_S = 0.5
HEALING_S = 2.0
BEAT_S = 5.0
WRITE_S = 10.0
# 8 topics of 16 regions are the 128 entries that a client may lack at most.
MAX_REGIONS = 16
_FRESH_S = 3 * HEALING_S
_TICKS = 10
_REGION = re.compile(r"[A-Za-z][\w-]{0,63}")

log = structlog.get_logger(__name__)


class Renderer(Protocol):
    """The regions of a topic by element id, for viewers of one role."""

    def __call__(self, argument: str, role: Role, /) -> Mapping[str, str]: ...


def encode(region: str, html: str) -> bytes:
    """One unnamed event that hx-sse swaps: the element `region` becomes `html`."""
    if not _REGION.fullmatch(region):
        raise ValueError(f"{region!r} is no element id of letters, digits, - and _")
    partial = f'<hx-partial hx-target="#{region}" hx-swap="outerMorph">{html}</hx-partial>'
    return "".join(f"data: {line}\n" for line in re.split(r"\r\n|\r|\n", partial)).encode()


class Channel:
    """One topic as one role sees it."""

    __slots__ = (
        "argument",
        "clients",
        "digest",
        "failing",
        "fresh_at",
        "nudged",
        "regions",
        "render",
        "role",
        "task",
        "topic",
    )

    def __init__(self, topic: str, argument: str, role: Role, render: Renderer) -> None:
        self.topic = topic
        self.argument = argument
        self.role = role
        self.render = render
        self.regions: dict[str, bytes] = {}
        self.digest = ""
        # When it was last read, by the hub's clock; None before the first time.
        self.fresh_at: float | None = None
        self.failing = False
        self.clients: set[Client] = set()
        self.nudged = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    def is_fresh(self, now: float) -> bool:
        return not self.failing and self.fresh_at is not None and now - self.fresh_at < _FRESH_S

    def take(self, rendered: Mapping[str, str]) -> list[str]:
        """Keeps what was rendered; the names of the regions that differ from before."""
        if len(rendered) > MAX_REGIONS:
            raise ValueError(
                f"{self.topic} has {len(rendered)} regions; {MAX_REGIONS} are the most"
            )
        fresh = {region: encode(region, html) for region, html in rendered.items()}
        changed = [region for region, body in fresh.items() if self.regions.get(region) != body]
        if changed or len(fresh) != len(self.regions):
            self.regions = fresh
            self.digest = blake2b(b"\0".join(fresh.values()), digest_size=6).hexdigest()
        return changed


class Client:
    """One open stream. `resumed` maps topics to the digest that the browser still shows."""

    __slots__ = (
        "_beat",
        "_flush",
        "_lacks",
        "_send",
        "_synced",
        "channels",
        "ended",
        "ends_at",
        "resumed",
        "session",
        "task",
        "user",
    )

    def __init__(
        self, send: Send, *, user: int, session: str, ends_at: float, resumed: dict[str, str]
    ) -> None:
        self._send = send
        self.user = user
        self.session = session
        self.ends_at = ends_at
        self.resumed = resumed
        self.channels: tuple[Channel, ...] = ()
        self.ended = False
        self.task: asyncio.Task[None] | None = None
        self._lacks: dict[tuple[Channel, str], None] = {}
        self._synced = 0
        self._beat = b""
        self._flush: asyncio.Task[None] | None = None

    def offer(self, channel: Channel, changed: Iterable[str]) -> None:
        """Notes what changed; everything when the client has seen nothing of the channel yet."""
        bit = 1 << self.channels.index(channel)
        if not self._synced & bit:
            self._synced |= bit
            if self.resumed.pop(channel.topic, None) == channel.digest:
                return
            changed = channel.regions
        for region in changed:
            self._lacks[channel, region] = None
        self._wake()

    def beat(self, now: float) -> None:
        if all(channel.is_fresh(now) for channel in self.channels):
            at = datetime.now(UTC).isoformat(timespec="seconds")
            self._beat = f"event: heartbeat\ndata: {at}\n\n".encode()
        else:
            self._beat = b": heartbeat\n\n"
        self._wake()

    def end(self) -> None:
        """Ends the stream in good order: the browser comes back by itself."""
        self.ended = True
        if self.task is not None:
            self.task.cancel()

    async def finish(self) -> None:
        """The last word of the stream; a client that takes nothing is cut off after a second."""
        if self._flush is not None:
            self._flush.cancel()
            await asyncio.wait({self._flush})
        try:
            async with asyncio.timeout(1.0):
                await self._send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            abort(self._send)

    def _wake(self) -> None:
        if self._flush is None and not self.ended and (self._lacks or self._beat):
            self._flush = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(WRITE_S):
                while body := self._next():
                    await self._send(
                        {"type": "http.response.body", "body": body, "more_body": True}
                    )
        except TimeoutError:
            abort(self._send)
            self.end()
        finally:
            self._flush = None

    def _next(self) -> bytes:
        """Everything the client lacks, with an id of what it then has."""
        parts = [body for channel, region in self._lacks if (body := channel.regions.get(region))]
        self._lacks.clear()
        beat, self._beat = self._beat, b""
        if not parts:
            return beat
        known = ",".join(
            f"{channel.topic}={channel.digest}"
            for n, channel in enumerate(self.channels)
            if self._synced & (1 << n)
        )
        return b"\n".join(parts) + f"id: {known}\n\n".encode() + beat


class Hub:
    """The channels and clients of this process."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.clients: set[Client] = set()
        self.channels: dict[tuple[str, Role], Channel] = {}
        self._clock = clock
        self._renderers = ThreadPoolExecutor(2, thread_name_prefix="live")
        self._ticks: list[set[Client]] = [set() for _ in range(_TICKS)]
        self._ticker: asyncio.Task[None] | None = None
        self._follower: threading.Thread | None = None

    def join(self, client: Client, topics: Mapping[str, tuple[str, Renderer]], role: Role) -> None:
        """Adds a client to its topics, {topic: (argument, renderer)}."""
        self.clients.add(client)
        self._ticks[len(self.clients) % _TICKS].add(client)
        client.channels = tuple(
            self._channel(topic, argument, role, render)
            for topic, (argument, render) in topics.items()
        )
        for channel in client.channels:
            channel.clients.add(client)
            if channel.fresh_at is not None:
                client.offer(channel, ())
        if self._ticker is None:
            self._ticker = asyncio.get_running_loop().create_task(self._tick())

    def leave(self, client: Client) -> None:
        self.clients.discard(client)
        for tick in self._ticks:
            tick.discard(client)
        for channel in client.channels:
            channel.clients.discard(client)
            if not channel.clients:
                self.channels.pop((channel.topic, channel.role), None)
                if channel.task is not None:
                    channel.task.cancel()

    def nudge(self, topics: Iterable[str]) -> None:
        named = set(topics)
        for (topic, _), channel in self.channels.items():
            if topic in named:
                channel.nudged.set()

    def end(self, *, session: str | None = None) -> None:
        """Ends every stream, or those of one session."""
        for client in [c for c in self.clients if session is None or c.session == session]:
            client.end()

    def close(self) -> None:
        self.end()
        if self._ticker is not None:
            self._ticker.cancel()
        self._renderers.shutdown(wait=False, cancel_futures=True)

    def _channel(self, topic: str, argument: str, role: Role, render: Renderer) -> Channel:
        channel = self.channels.get((topic, role))
        if channel is None:
            channel = self.channels[topic, role] = Channel(topic, argument, role, render)
            channel.task = asyncio.get_running_loop().create_task(self._run(channel))
        return channel

    async def _run(self, channel: Channel) -> None:
        """Renders while somebody looks on: soon after a nudge, and every two seconds anyhow."""
        while True:
            started = self._clock()
            channel.nudged.clear()
            await self._refresh(channel)
            await asyncio.sleep(max(0.0, started + NUDGED_S - self._clock()))
            try:
                async with asyncio.timeout(max(0.0, started + HEALING_S - self._clock())):
                    await channel.nudged.wait()
            except TimeoutError:
                continue

    async def _refresh(self, channel: Channel) -> None:
        loop = asyncio.get_running_loop()
        try:
            changed = channel.take(await loop.run_in_executor(self._renderers, _call, channel))
        except Exception as exc:  # noqa: BLE001 - whatever a page's renderer raises, streams live on
            # Once an outage, not every two seconds of it.
            if not channel.failing:
                log.warning("topic_unreadable", topic=channel.topic, error=repr(exc))
            channel.failing = True
            return
        channel.failing = False
        channel.fresh_at = self._clock()
        for client in tuple(channel.clients):
            client.offer(channel, changed)

    async def _tick(self) -> None:
        """Spreads heartbeats over their interval, and ends streams that lived their time."""
        turn = 0
        while True:
            self._listen()
            await asyncio.sleep(BEAT_S / _TICKS)
            turn = (turn + 1) % _TICKS
            now = self._clock()
            for client in tuple(self._ticks[turn]):
                client.beat(now)
                if now >= client.ends_at:
                    client.end()

    def _listen(self) -> None:
        if self.clients and (self._follower is None or not self._follower.is_alive()):
            self._follower = threading.Thread(
                target=self._follow, args=(asyncio.get_running_loop(),), name="events", daemon=True
            )
            self._follower.start()

    def _follow(self, loop: asyncio.AbstractEventLoop) -> None:
        """In a thread of its own: hears other processes while there is somebody to tell."""
        stop = threading.Event()
        while self.clients and not loop.is_closed():
            try:
                for topics in events.follow(lambda: not self.clients):
                    if topics:
                        loop.call_soon_threadsafe(self.nudge, topics)
            except redis.RedisError:
                stop.wait(1.0)  # the healing poll carries on meanwhile
            except RuntimeError:
                return  # the loop closed


def _call(channel: Channel) -> Mapping[str, str]:
    try:
        return channel.render(channel.argument, channel.role)
    finally:
        close_old_connections()
