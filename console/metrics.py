"""`/metrics`: answered before Django and its threads, to a token or to an allowed network."""

import asyncio
import hashlib
import ipaddress
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import structlog
from django.db import Error, connections

from console.access.tokens import authenticate
from console.env import Network
from console.wire import Headers, Receive, Scope, Send
from monitoring import collected, exposition, snapshots
from monitoring.totals import Totals

# A scraper waits ten seconds unless it is told otherwise.
_TIMEOUT_S = 8.0
_WAITING = 8
_REMEMBERED_S = 600.0
_TOKENS = 100
_TOKENLESS = "Send Authorization: Bearer <token>, or ask from a network in METRICS_NETWORKS.\n"
_FORWARDED = {b"x-forwarded-for", b"forwarded"}

log = structlog.get_logger(__name__)


class _Refused(Exception):
    def __init__(self, status: int, reason: str) -> None:
        self.status = status
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """`behind_proxies`: the client's address was set by a proxy that is trusted to do so."""

    networks: Sequence[Network] = ()
    behind_proxies: bool = False


class Metrics:
    """One answer at a time, in a thread of its own: overload leaves the figures readable."""

    def __init__(
        self, config: MetricsConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._config = config
        self._totals = Totals()
        self._tokens = _Tokens(clock)
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="metrics")
        self._pending = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        try:
            body, kind = await self._answer(scope)
        except _Refused as exc:
            text = str(exc).encode()
            await _respond(scope, send, exc.status, text, "text/plain; charset=utf-8")
        except Exception:
            log.exception("metrics.failed")
            text = b"The figures cannot be told: the console's log says why.\n"
            await _respond(scope, send, 500, text, "text/plain; charset=utf-8")
        else:
            await _respond(scope, send, 200, body, kind)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, scope: Scope) -> tuple[bytes, str]:
        if scope["method"] not in {"GET", "HEAD"}:
            raise _Refused(405, "Only GET and HEAD.\n")
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        secret = None if self._is_near(scope) else _secret(headers)
        if self._pending >= _WAITING:
            raise _Refused(503, "Too many ask for the figures. Try again in a second.\n")
        self._pending += 1
        accept = headers.get(b"accept", "")
        work = asyncio.wrap_future(self._pool.submit(self._work, secret, accept))
        work.add_done_callback(self._let_go)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                # Shielded: it holds its place until the thread is free again.
                return await asyncio.shield(work)
        except TimeoutError as exc:
            raise _Refused(503, f"No figures within {_TIMEOUT_S:g} s.\n") from exc

    def _let_go(self, work: "asyncio.Future[tuple[bytes, str]]") -> None:
        self._pending -= 1
        if not work.cancelled():
            work.exception()  # nobody may be left to hear it

    def _is_near(self, scope: Scope) -> bool:
        """Whether the caller's own address, not that of a proxy before it, is an allowed one."""
        if not self._config.behind_proxies and any(n in _FORWARDED for n, _ in scope["headers"]):
            return False
        try:
            address = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None)
        return any((mapped or address) in network for network in self._config.networks)

    def _work(self, secret: str | None, accept: str) -> tuple[bytes, str]:
        try:
            if secret is not None:
                self._tokens.check(secret)
            reading, workers = self._totals.read(), snapshots.workers()
            return exposition.render(reading, workers, accept=accept, more=collected.families())
        finally:
            connections.close_all()


class _Tokens:
    """Which tokens are good. While the database cannot say, those that lately were still are:
    its outage is when the figures are wanted most.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._good: dict[bytes, float] = {}

    def check(self, secret: str) -> None:
        digest = hashlib.sha256(secret.encode()).digest()
        try:
            caller = authenticate(secret)
        except Error as exc:
            if self._clock() - self._good.get(digest, float("-inf")) <= _REMEMBERED_S:
                return
            reason = "The token cannot be checked: the database does not answer.\n"
            raise _Refused(503, reason) from exc
        self._good.pop(digest, None)
        if caller is None:
            raise _Refused(401, "This token is unknown, expired or revoked.\n")
        if not caller.may("read"):
            raise _Refused(403, "The figures need a token of the scope read.\n")
        self._good[digest] = self._clock()
        if len(self._good) > _TOKENS:
            del self._good[next(iter(self._good))]


def _secret(headers: dict[bytes, str]) -> str:
    scheme, _, credentials = headers.get(b"authorization", "").partition(" ")
    secret = credentials if scheme.lower() == "bearer" else headers.get(b"x-api-key", "")
    if not secret.strip():
        raise _Refused(401, _TOKENLESS)
    return secret.strip()


async def _respond(scope: Scope, send: Send, status: int, body: bytes, kind: str) -> None:
    headers: Headers = [
        (b"content-type", kind.encode()),
        (b"content-length", b"%d" % len(body)),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
    ]
    if status == 401:  # noqa: PLR2004 - its own name
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 405:  # noqa: PLR2004 - as above
        headers.append((b"allow", b"GET, HEAD"))
    if status == 503:  # noqa: PLR2004 - as above
        headers.append((b"retry-after", b"2"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent})
