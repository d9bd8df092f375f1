"""The one SSE stream, `/events?topics=a,b`: what pages show of live data, pushed as it changes.

How a page uses it (htmx 4 + hx-sse)::

    <div hx-sse:connect="/events?topics=overview,run:17" hx-swap="none"></div>

How PAGES registers a topic (in `console/pages/topics.py`, imported at start)::

    sse.topic("runs", render_runs)                    # topic "runs"
    sse.topic("run", render_run, takes_argument=True) # topics "run:17", "run:18", …
    sse.topic("breaker", render_breaker, takes_argument=True, argument=sse.NAME)

    def render_run(argument: str, role: Role) -> Mapping[str, str]:
        return {"run-progress": "<section id='run-progress'>…</section>", "run-verdicts": …}

A renderer gives *regions*: the id of an element on the page and the whole new element, made from
the same `{% partialdef %}` that the page itself uses. It runs in a thread with the database at
hand (given back afterwards), once a topic and role however many tabs look on, at most every 500 ms
when nudged and every 2 s anyhow. `{}` says that there is nothing (no such run). A page that has no
element of that id ignores the region, so one topic may serve several pages. Forms stay outside the
regions (they carry a CSRF token); a button inside reaches its form by `form="cancel-form"`.

What goes over the wire: first an event named `hello`. Each region that changed is one unnamed
event, `<hx-partial hx-target="#id" hx-swap="outerMorph">…</hx-partial>`, which hx-sse swaps by
itself; morphing keeps the focus. Every 5 s comes an event named `heartbeat` whose data is the
server's time (hx-sse fires named events on the connecting element as DOM events); any event means
live. While a topic of the stream cannot be read (Postgres down) heartbeats become comments, which
the browser does not show to scripts: 12 s of silence is what "Stale since" means, and the
connection still lives. Events carry an id of what the client has of each topic, so a reconnect
sends only what differs.

Refusals: 401 not signed in, 400 unknown topic (named), 429 more than 20 streams of one person, 503
more than 5 000 in this process; the last two with Retry-After. hx-sse retries a broken stream by
itself but not a refused first connection: the page's script does. A stream ends after about five
minutes, so that a changed password, role or session takes effect; a sign-out ends it at once.
"""

import asyncio
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from urllib.parse import parse_qs

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.signals import user_logged_out
from django.db import DatabaseError, close_old_connections
from django.http import HttpRequest

from console.access.roles import Role, role_of
from console.hub import Client, Hub, Renderer
from console.wire import Headers, Receive, Scope, Send, refuse

MAX_STREAMS = 5_000
MAX_STREAMS_OF_A_USER = 20
MAX_TOPICS = 8
LIFE_S = 300.0
NUMBER = re.compile(r"[1-9][0-9]{0,17}")
# Of a breaker: it may hold colons, but neither comma nor equals sign, which event ids use.
NAME = re.compile(r"[A-Za-z0-9._:~\[\]-]{1,160}")

_topics: dict[str, tuple[Renderer, re.Pattern[str] | None]] = {}


def topic(
    name: str,
    render: Renderer,
    *,
    takes_argument: bool = False,
    argument: re.Pattern[str] = NUMBER,
) -> None:
    """Registers what `name` shows, or `name:<argument>`: a positive number unless told."""
    _topics[name] = (render, argument if takes_argument else None)


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who opened a stream."""

    user: int
    role: Role
    session: str


class UnknownTopic(ValueError):
    """A topic that nobody registered, or too many of them."""


def parse_topics(text: str) -> dict[str, tuple[str, Renderer]]:
    """{topic: (argument, renderer)} of `a,b:17`, each once; UnknownTopic names what is none."""
    names = list(dict.fromkeys(part for part in text.split(",") if part))
    if not 0 < len(names) <= MAX_TOPICS:
        raise UnknownTopic(f"Ask for 1 to {MAX_TOPICS} topics: /events?topics=runs,run:17")
    found = {}
    for name in names:
        base, colon, argument = name.partition(":")
        render, pattern = _topics.get(base, (None, None))
        fits = bool(pattern.fullmatch(argument)) if pattern else not colon
        if render is None or not fits:
            raise UnknownTopic(f"There is no topic {name[:60]!r}.")
        found[name] = (argument, render)
    return found


def parse_last_event_id(text: str) -> dict[str, str]:
    """What a browser that comes back still shows, as `Client` wrote it; nonsense is nothing."""
    pairs = (part.rpartition("=") for part in text[:1_000].split(","))
    return {name: digest for name, equals, digest in pairs if equals}


def identify(session_key: str) -> Viewer | None:
    """The signed-in user of a session, read in a thread; its database connection is given back."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key)
    try:
        user = auth.get_user(request)
        role = role_of(user)
        return Viewer(user.pk, role, session_key) if role and user.pk else None
    finally:
        close_old_connections()


def session_key_of(headers: Headers) -> str:
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(b"; ".join(v for n, v in headers if n == b"cookie").decode("latin-1"))
    except CookieError:
        return ""
    cookie = cookies.get(settings.SESSION_COOKIE_NAME)
    return cookie.value if cookie else ""


class Events:
    """The ASGI application behind `/events`."""

    def __init__(
        self,
        hub: Hub,
        *,
        clock: Callable[[], float] = time.monotonic,
        identify: Callable[[str], Viewer | None] = identify,
    ) -> None:
        self._hub = hub
        self._clock = clock
        self._identify = identify
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="stream-auth")
        self._open = 0
        self._of_user: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await refuse(scope, send, 405, "Only GET.")
        elif self._open >= MAX_STREAMS:
            await refuse(scope, send, 503, "Too many live pages are open. Try again in a while.")
        else:
            self._open += 1
            try:
                await self._admit(scope, receive, send)
            finally:
                self._open -= 1

    async def _admit(self, scope: Scope, receive: Receive, send: Send) -> None:
        key = session_key_of(scope["headers"])
        try:
            viewer = await self._viewer(key) if key else None
        except DatabaseError:
            await refuse(scope, send, 503, "The database does not answer. Try again in a while.")
            return
        if viewer is None:
            await refuse(scope, send, 401, "Sign in to see live data.")
            return
        try:
            query = parse_qs(scope["query_string"].decode("latin-1"))
            topics = parse_topics(",".join(query.get("topics", [])))
        except UnknownTopic as exc:
            await refuse(scope, send, 400, str(exc))
            return
        if self._of_user[viewer.user] >= MAX_STREAMS_OF_A_USER:
            await refuse(scope, send, 429, "You have 20 live pages open: close some of them.")
            return
        self._of_user[viewer.user] += 1
        try:
            await self._stream(viewer, topics, scope["headers"], receive, send)
        finally:
            self._of_user -= Counter([viewer.user])

    async def _viewer(self, session_key: str) -> Viewer | None:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._identify, session_key)

    async def _stream(
        self,
        viewer: Viewer,
        topics: dict[str, tuple[str, Renderer]],
        headers: Headers,
        receive: Receive,
        send: Send,
    ) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        # Clients that a restart threw off together come back apart.
        retry_ms = 1_000 + secrets.randbelow(4_000)
        hello = f"retry: {retry_ms}\nevent: hello\ndata: live\n\n".encode()
        await send({"type": "http.response.body", "body": hello, "more_body": True})
        client = Client(
            send,
            user=viewer.user,
            session=viewer.session,
            ends_at=self._clock() + LIFE_S * (0.8 + secrets.randbelow(400) / 1000),
            resumed=_last_event_id(headers),
        )
        client.task = task = asyncio.current_task()
        self._hub.join(client, topics, viewer.role)
        try:
            await _gone(receive)
        except asyncio.CancelledError:
            if not client.ended or task is None:
                raise
            task.uncancel()
            await client.finish()
        finally:
            self._hub.leave(client)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


_HEADERS: Headers = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]


def _last_event_id(headers: Headers) -> dict[str, str]:
    for name, value in headers:
        if name == b"last-event-id":
            return parse_last_event_id(value.decode("latin-1"))
    return {}


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def end_streams_on_sign_out(hub: Hub, loop: asyncio.AbstractEventLoop) -> None:
    """A page left open by somebody who signed out shows nothing more."""

    def end(request: HttpRequest, **_: object) -> None:
        if key := request.session.session_key:
            loop.call_soon_threadsafe(lambda: hub.end(session=key))

    user_logged_out.connect(end, weak=False, dispatch_uid="end-streams")
