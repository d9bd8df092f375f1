"""The web process: streams and health are raw ASGI, everything else is Django in threads.

Run by uvicorn with `--no-proxy-headers --timeout-graceful-shutdown 5`: TRUSTED_PROXIES decides here
whose forwarded addresses are believed, for every way of starting it.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from types import FrameType
from typing import Any

os.environ["SWITCHYARD_PROCESS"] = "web"
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")

import django
from django.conf import settings
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from console.bodies import BodyConfig
from console.bridge import BridgeConfig, WsgiBridge
from console.handler import RoutedHandler
from console.served import Served
from console.wire import Message, Receive, Scope, Send

# What follows imports models.
django.setup(set_prefix=False)

import console.pages.topics  # noqa: E402, F401 - importing registers the live regions
from console import alerting, collecting, open_files  # noqa: E402 - as above
from console.faults import held_connections  # noqa: E402 - as above
from console.flags import follower, rates, web  # noqa: E402 - as above
from console.flags.ofrep.app import PREFIX as OFREP  # noqa: E402 - as above
from console.flags.ofrep.app import Ofrep  # noqa: E402 - as above
from console.flags.ofrep.cors import Cors  # noqa: E402 - as above
from console.health import Readyz, livez, readiness  # noqa: E402 - as above
from console.hub import Hub  # noqa: E402 - as above
from console.metrics import Metrics, MetricsConfig  # noqa: E402 - as above
from console.postgres import lending  # noqa: E402 - as above
from console.replicas import watching  # noqa: E402 - as above
from console.rollouts import ticking  # noqa: E402 - as above
from console.sse import Events, end_streams_on_sign_out  # noqa: E402 - as above
from monitoring import tracing  # noqa: E402 - as above
from monitoring.loop_lag import LoopLag  # noqa: E402 - as above
from monitoring.probes import PROBES  # noqa: E402 - as above
from monitoring.publisher import Publisher  # noqa: E402 - as above
from validation import tasks  # noqa: E402 - as above

type App = Callable[[Scope, Receive, Send], Awaitable[None]]
type Handler = Callable[[int, FrameType | None], Any]

_POOLS = "database pools"
_LOOP = "event loop"


class Web:
    """Dispatches by path before Django sees a request."""

    def __init__(self) -> None:
        bodies = BodyConfig(
            max_body=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            session_cookie=settings.SESSION_COOKIE_NAME,
        )
        self.hub = Hub()
        self._served = Served()
        self._django = WsgiBridge(
            RoutedHandler(),
            BridgeConfig(
                bodies=bodies,
                compression=web.compression,
                request_log=web.request_log,
                served=self._served.begin,
            ),
        )
        self._events = Events(self.hub)
        self._metrics = Metrics(
            MetricsConfig(
                networks=settings.METRICS_NETWORKS, behind_proxies=bool(settings.TRUSTED_PROXIES)
            )
        )
        self._ofrep = Ofrep(
            follower.current, cors=Cors(settings.OFREP_ORIGINS), quotas=rates.of_ofrep()
        )
        self._raw: dict[str, App] = {
            "/events": self._events,
            "/livez": livez,
            "/metrics": self._metrics,
            "/readyz": Readyz(readiness()),
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            app = self._ofrep if path.startswith(OFREP) else self._raw.get(path, self._django)
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _live(self, receive: Receive, send: Send) -> None:
        open_files.raise_limit()
        loop = asyncio.get_running_loop()
        loop.run_in_executor(None, tasks.dial)
        PROBES.register(_POOLS, lending.samples)
        lag = LoopLag("web")
        lag.begin()
        PROBES.register(_LOOP, lag.samples)
        end_tracing = tracing.begin("web")
        publisher = Publisher("web", counts=self._served.counts)
        publisher.start()
        end_collecting = collecting.begin("web")
        end_alerting = alerting.begin("web")
        end_rollouts = ticking.begin()
        end_watching = watching.begin()
        flags = follower.Follower(
            lambda standing: self._served.hold(web.decide(standing).variants, flags.flags.revision)
        )
        flags.start()
        end_holding = held_connections.begin()
        end_streams_on_sign_out(self.hub, loop)
        _before_shutdown(loop, self._end)
        while True:
            message: Message = await receive()
            if message["type"] == "lifespan.shutdown":
                self.hub.close()
                self._events.close()
                self._ofrep.close()
                self._django.close()
                self._metrics.close()
                await loop.run_in_executor(None, end_holding)
                await loop.run_in_executor(None, flags.stop)
                await loop.run_in_executor(None, end_collecting)
                await loop.run_in_executor(None, end_alerting)
                await loop.run_in_executor(None, end_rollouts)
                await loop.run_in_executor(None, end_watching)
                await loop.run_in_executor(None, publisher.stop)
                await loop.run_in_executor(None, end_tracing)
                PROBES.unregister(_POOLS)
                PROBES.unregister(_LOOP)
                lag.end()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    def _end(self) -> None:
        self.hub.end()
        self._ofrep.end()


def _before_shutdown(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Ends streams with the signal: uvicorn waits for them before it tells of the shutdown."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        if callable(before := signal.getsignal(number)):
            signal.signal(number, partial(_end_then, before, loop, end))


def _end_then(
    before: Handler,
    loop: asyncio.AbstractEventLoop,
    end: Callable[[], None],
    number: int,
    frame: FrameType | None,
) -> None:
    loop.call_soon_threadsafe(end)
    before(number, frame)


def _behind_proxies(app: Web) -> object:
    trusted = [str(network) for network in settings.TRUSTED_PROXIES]
    return ProxyHeadersMiddleware(app, trusted_hosts=trusted) if trusted else app  # type: ignore[arg-type]


application = _behind_proxies(Web())
