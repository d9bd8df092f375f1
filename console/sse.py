"""The one SSE stream, `/events?topics=a,b`: what pages show of live data, pushed as it changes.

How a page uses it (htmx 4 + hx-sse)::

    <div hx-sse:connect="/events?topics=overview,run:17" hx-swap="none"></div>

How PAGES registers a topic (in `console/pages/topics.py`, imported at start)::

    sse.topic("runs", render_runs)                    # topic "runs"
    sse.topic("run", render_run, takes_argument=True) # topics "run:17", "run:18", …

    def render_run(argument: str, role: Role) -> Mapping[str, str]:
        return {"run-progress": "<section id='run-progress'>…</section>", "run-verdicts": …}

A renderer gives *regions*: the id of an element on the page and the whole new element, made from
the same `{% partialdef %}` that the page itself uses. It runs in a thread with the database at
hand (given back afterwards), once a topic and role however many tabs look on, at most every 500 ms
when nudged and every 2 s anyhow. `{}` says that there is nothing (no such run). A page that has no
element of that id ignores the region, so one topic may serve several pages. Forms stay outside the
regions (they carry a CSRF token); a button inside reaches its form by `form="cancel-form"`.

What goes over the wire: each region that changed is one unnamed event, `<hx-partial
hx-target="#id" hx-swap="outerHTML">…</hx-partial>`, which hx-sse swaps by itself. Every 5 s comes
an event named `heartbeat` (hx-sse fires it on the connecting element as a DOM event) whose data is
the server's time; any event means live. While a topic of the stream cannot be read (Postgres down)
heartbeats become comments, which the browser does not show to scripts: 12 s of silence is what
"Stale since" means, and the connection still lives. Events carry an id of what the client has of
each topic, so a reconnect sends only what differs.
"""

from collections.abc import Mapping
from typing import Protocol

from console.access.roles import Role


class Renderer(Protocol):
    def __call__(self, argument: str, role: Role, /) -> Mapping[str, str]: ...


class _Topic:
    __slots__ = ("render", "takes_argument")

    def __init__(self, render: Renderer, *, takes_argument: bool) -> None:
        self.render = render
        self.takes_argument = takes_argument


_topics: dict[str, _Topic] = {}


def topic(name: str, render: Renderer, *, takes_argument: bool = False) -> None:
    """Registers what `name` (or `name:<argument>`, a positive number) shows."""
    _topics[name] = _Topic(render, takes_argument=takes_argument)
