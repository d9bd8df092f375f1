"""`/livez` and `/readyz`: answered before Django and its threads, so overload leaves them true."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import psycopg
import redis.asyncio
from django.conf import settings
from django.db import connection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from console.wire import Receive, Scope, Send

_TIMEOUT_S = 1.0
# Anonymous callers may ask as often as they like; servers are asked at most this often.
_KEPT_S = 0.5

type Probe = Callable[[], Awaitable[None]]


async def _postgres() -> None:
    parameters = connection.get_connection_params()
    kept = {k: v for k, v in parameters.items() if k not in {"pool", "cursor_factory", "context"}}
    # Its own connection: the pool may be empty exactly when somebody asks.
    async with await psycopg.AsyncConnection.connect(**kept, autocommit=True) as asked:
        await asked.execute("SELECT 1")


def _valkey(url: str) -> Probe:
    async def ping() -> None:
        if not url:
            raise ConnectionError
        # Celery writes a socket as redis+socket://, redis-py as unix://.
        address = url.replace("redis+socket://", "unix://", 1)
        client = redis.asyncio.Redis.from_url(address, retry=Retry(NoBackoff(), 0))
        try:
            await client.ping()
        finally:
            await client.aclose()

    return ping


def _broker(url: str) -> Probe:
    if not url.startswith("amqp"):
        return _valkey(url)

    async def connect() -> None:
        parts = urlsplit(url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port or 5672)
        writer.close()

    return connect


class Readiness:
    """Asks every dependency at once, each for at most a second."""

    def __init__(
        self, probes: dict[str, Probe], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probes = probes
        self._clock = clock
        self._lock = asyncio.Lock()
        self._report: dict[str, str] = {}
        self._asked_at = float("-inf")

    async def report(self) -> dict[str, str]:
        """`ok (3 ms)` or what is wrong, by name; one question serves all who ask meanwhile."""
        async with self._lock:
            if self._clock() - self._asked_at > _KEPT_S:
                answers = await asyncio.gather(*map(self._ask, self._probes.values()))
                self._report = dict(zip(self._probes, answers, strict=True))
                self._asked_at = self._clock()
            return self._report

    async def _ask(self, probe: Probe) -> str:
        started = self._clock()
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await probe()
        except TimeoutError:
            return f"no answer within {_TIMEOUT_S:g} s"
        except (OSError, psycopg.Error, redis.RedisError, ConnectionError):
            return "refused"  # the text of the error may hold an address or a password
        return f"ok ({(self._clock() - started) * 1000:.0f} ms)"


def readiness() -> Readiness:
    return Readiness(
        {
            "postgres": _postgres,
            "cache": _valkey(settings.REDIS_URL),
            "broker": _broker(settings.CELERY_BROKER_URL),
        }
    )


async def livez(scope: Scope, _receive: Receive, send: Send) -> None:
    await _answer(scope, send, 200, "ok\n")


class Readyz:
    """200 when everything answers, 503 otherwise; `?verbose` says what."""

    def __init__(self, state: Readiness) -> None:
        self._state = state

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        report = await self._state.report()
        ready = all(text.startswith("ok") for text in report.values())
        text = "ok\n" if ready else "not ready\n"
        if b"verbose" in scope.get("query_string", b""):
            text += "".join(f"{name}: {state}\n" for name, state in report.items())
        await _answer(scope, send, 200 if ready else 503, text)


async def _answer(scope: Scope, send: Send, status: int, text: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if scope["method"] not in {"GET", "HEAD"}:
        status, text = 405, "Only GET and HEAD.\n"
        headers.append((b"allow", b"GET, HEAD"))
    if status == 503:  # noqa: PLR2004 - its own name
        headers.append((b"retry-after", b"2"))
    body = text.encode()
    headers.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
