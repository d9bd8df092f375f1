"""`/ofrep/`: OpenFeature's Remote Evaluation Protocol 0.3, answered before Django and its threads.

`POST /ofrep/v1/evaluate/flags/<key>` and `POST /ofrep/v1/evaluate/flags` by a token with the scope
`ofrep`; `GET /ofrep/v1/events?permit=…` by an address that the latter gave out. Sessions of
browsers count for nothing here, so no page of another origin can borrow one.
"""

import asyncio
import math
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs

import structlog
from openfeature.exception import ErrorCode

from console.access.quotas import Quotas
from console.flags.ofrep.callers import Callers, Standing, still_good
from console.flags.ofrep.cors import Cors
from console.flags.ofrep.evaluation import UNKNOWN, Evaluation, Flags
from console.flags.ofrep.streams import PATH as EVENTS
from console.flags.ofrep.streams import Streams, address_for, revision_of
from console.flags.ofrep.wire import (
    MAX_KEY,
    Endpoint,
    EventStream,
    OfrepRefused,
    context_of,
    failed,
    secret_of,
)
from console.wire import Headers, Receive, Scope, Send
from monitoring.instruments import HTTP_DURATION

PREFIX: Final = "/ofrep/"
BULK: Final = "/ofrep/v1/evaluate/flags"
SINGLE: Final = f"{BULK}/"
# How long a client that heard of a change elsewhere is kept until this process hears of it.
_CATCH_UP_S: Final = 1.0
_LOOK_S: Final = 0.02
_PARAMETERS: Final = 20

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    status: int
    body: bytes
    headers: Headers


class Ofrep:
    """The ASGI application behind `/ofrep/`."""

    def __init__(
        self,
        current: Callable[[], Flags],
        *,
        cors: Cors,
        quotas: Quotas,
        callers: Callers | None = None,
        streams: Streams | None = None,
    ) -> None:
        self._evaluation = Evaluation(current)
        self._cors = cors
        self._quotas = quotas
        self._callers = callers or Callers()
        self._streams = streams or Streams(lambda: self._evaluation.revision, still_good)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        headers = dict(scope["headers"])
        path: str = scope["path"]
        cors = self._cors.headers_for(headers)
        if scope["method"] == "OPTIONS":
            await _send(scope, send, self._preflight(path, cors, headers))
            return
        route, key = _routed(path)
        try:
            if route == "events":
                await self._listen(scope, headers, cors, receive, send)
                return
            answer = await self._answer(scope, key, headers, receive)
        except OfrepRefused as exc:
            body, extra = failed(scope, exc, key)
            answer = _Answer(status=exc.status, body=body, headers=extra)
        except Exception as exc:  # noqa: BLE001 - an unexpected one keeps its secrets for the log
            answer = _unexpected(scope, exc, key)
        HTTP_DURATION.labels(f"ofrep-{route}", str(answer.status)).observe(
            time.perf_counter() - began
        )
        answer.headers.extend(cors)
        await _send(scope, send, answer)

    def end(self) -> None:
        """Ends all streams in good order."""
        self._streams.end()

    def close(self) -> None:
        self._streams.close()
        self._callers.close()

    def _preflight(self, path: str, cors: Headers, headers: Mapping[bytes, bytes]) -> _Answer:
        method = "GET" if path == EVENTS else "POST"
        if b"origin" in headers and not self._cors.allows(headers):
            refused = OfrepRefused(403, "This origin is not in OFREP_ORIGINS.")
            body, extra = failed({}, refused, None)
            return _Answer(status=403, body=body, headers=[*extra, *cors])
        allow = (b"allow", f"{method}, OPTIONS".encode())
        return _Answer(status=204, body=b"", headers=[allow, *cors, *self._cors.preflight(method)])

    async def _answer(
        self, scope: Scope, key: str | None, headers: Mapping[bytes, bytes], receive: Receive
    ) -> _Answer:
        if key is None and scope["path"] != BULK:
            raise OfrepRefused(404, f"OFREP has no address {scope['path'][:200]}.", closes=True)
        if scope["method"] != "POST":
            raise _wrong_method(scope["method"], "POST")
        standing = await self._callers.of(secret_of(headers))
        await self._charge(standing)
        if key is not None and len(key) > MAX_KEY:
            text = UNKNOWN.format(key=f"{key[:MAX_KEY]}…")
            raise OfrepRefused(404, text, code=ErrorCode.FLAG_NOT_FOUND, closes=True)
        context = await context_of(receive, headers)
        if key is not None:
            body = self._evaluation.one(key, context)
            return _Answer(status=200, body=body, headers=[])
        await self._catch_up(scope)
        endpoint = Endpoint(request_uri=address_for(standing.token, time.time()))
        body, tag = await self._evaluation.all(context, [EventStream(endpoint=endpoint)])
        unchanged = _names(headers.get(b"if-none-match", b""), tag)
        return _Answer(
            status=304 if unchanged else 200,
            body=b"" if unchanged else body,
            headers=[(b"etag", tag)],
        )

    async def _charge(self, standing: Standing) -> None:
        quota, key = self._quotas.in_force(), f"ofrep:{standing.token}"
        wait = await asyncio.to_thread(quota.take, key) if quota.blocks else quota.take(key)
        if wait is not None:
            seconds = max(1, math.ceil(wait))
            text = f"This token has made all its calls of the minute: wait {seconds} s."
            raise OfrepRefused(429, text, retry_after_s=seconds)

    async def _catch_up(self, scope: Scope) -> None:
        """A client may hear of a change from one process and ask another for it."""
        wanted = revision_of(_asked(scope, "flagConfigEtag"))
        for _ in range(round(_CATCH_UP_S / _LOOK_S)):
            if self._evaluation.revision >= wanted:
                return
            await asyncio.sleep(_LOOK_S)

    async def _listen(
        self,
        scope: Scope,
        headers: Mapping[bytes, bytes],
        cors: Headers,
        receive: Receive,
        send: Send,
    ) -> None:
        if scope["method"] != "GET":
            raise _wrong_method(scope["method"], "GET")
        last = headers.get(b"last-event-id", b"").decode("latin-1")
        await self._streams.serve(_asked(scope, "permit"), last, cors, receive, send)


def _routed(path: str) -> tuple[str, str | None]:
    """(its name, the key of the flag that it asks for)."""
    if path == EVENTS:
        return "events", None
    if path.startswith(SINGLE) and len(path) > len(SINGLE):
        return "one", path[len(SINGLE) :]
    return ("all", None) if path == BULK else ("none", None)


def _asked(scope: Scope, name: str) -> str:
    """One parameter of the query; empty where it is not there."""
    query: bytes = scope.get("query_string", b"")
    if not query:
        return ""
    try:
        found = parse_qs(query.decode("latin-1"), max_num_fields=_PARAMETERS)
    except ValueError as exc:
        text = f"More than {_PARAMETERS} parameters are in the query."
        raise OfrepRefused(400, text, code=ErrorCode.PARSE_ERROR, closes=True) from exc
    return found.get(name, [""])[0]


def _wrong_method(method: str, allowed: str) -> OfrepRefused:
    text = f"{method} is not possible here; {allowed} is."
    return OfrepRefused(405, text, allowed=allowed, closes=True)


def _unexpected(scope: Scope, exc: Exception, key: str | None) -> _Answer:
    reference = secrets.token_hex(6)
    log.error("ofrep_failed", reference=reference, path=scope["path"][:200], exc_info=exc)
    text = f"Something went wrong on our side. The log has it under the reference {reference}."
    body, headers = failed(scope, OfrepRefused(500, text, closes=True), key)
    return _Answer(status=500, body=body, headers=headers)


def _names(given: bytes, tag: bytes) -> bool:
    """Whether If-None-Match names the tag: in quotes, bare as some clients do, weak, or any."""
    named = (part.strip().removeprefix(b"W/") for part in given.split(b","))
    return any(part in {tag, tag.strip(b'"'), b"*"} for part in named if part)


async def _send(scope: Scope, send: Send, answer: _Answer) -> None:
    headers = answer.headers
    if answer.body:
        headers.append((b"content-type", b"application/json"))
    if answer.status not in {204, 304}:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    headers += _ALWAYS
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    body = b"" if scope["method"] == "HEAD" else answer.body
    await send({"type": "http.response.body", "body": body})


_ALWAYS: Final[Headers] = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
]
