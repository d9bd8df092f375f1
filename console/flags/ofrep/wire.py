"""OFREP 0.3 on the wire: what is read of a request, and the shapes that answers have."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode

from console.wire import Headers, Receive, Scope

MAX_BODY: Final = 64 * 1024
MAX_DEPTH: Final = 8
MAX_VALUES: Final = 1_000
MAX_KEY: Final = 200
BODY_S: Final = 10.0


class OfrepRefused(Exception):
    """An answer that is an error: its status, code and one sentence. `closes`: its body was not
    read, the connection ends too.
    """

    def __init__(
        self,
        status: int,
        details: str,
        *,
        code: ErrorCode = ErrorCode.GENERAL,
        retry_after_s: int = 0,
        allowed: str = "",
        closes: bool = False,
    ) -> None:
        self.status = status
        self.code = code
        self.retry_after_s = retry_after_s
        self.allowed = allowed
        self.closes = closes
        super().__init__(details)


class Failure(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """`key`: unless no single flag was asked for."""

    key: str | msgspec.UnsetType = msgspec.UNSET
    error_code: str
    error_details: str


class Success(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """Without `value` the caller's own default holds. `variant` is there then too, and empty: the
    official provider for Python reads it always.
    """

    key: str
    reason: str
    variant: str
    value: Any = msgspec.UNSET
    # An object of scalars, encoded already.
    metadata: msgspec.Raw


class Endpoint(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    """Without an origin: where the caller reached this service."""

    request_uri: str


class EventStream(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    type: str = "sse"
    endpoint: Endpoint
    inactivity_delay_sec: int = 120


class Bulk(msgspec.Struct, rename="camel", kw_only=True, frozen=True):
    flags: list[Success | Failure]
    event_streams: list[EventStream]
    metadata: Mapping[str, Any]


class _Request(msgspec.Struct):
    context: Any = msgspec.UNSET


encode = msgspec.json.Encoder().encode
# The same whatever the order in which a client names its attributes.
encode_sorted = msgspec.json.Encoder(order="deterministic").encode
_decode = msgspec.json.Decoder(_Request).decode
_PARSE: Final = ErrorCode.PARSE_ERROR
_CONTEXT: Final = ErrorCode.INVALID_CONTEXT


async def context_of(receive: Receive, headers: Mapping[bytes, bytes]) -> EvaluationContext:
    """The context that a request brings; one without any is asked for nobody in particular."""
    length = headers.get(b"content-length", b"0")
    if length.isdigit() and int(length[:12]) > MAX_BODY:
        raise _too_large()
    return parse(await _body(receive))


async def _body(receive: Receive) -> bytes:
    try:
        async with asyncio.timeout(BODY_S):
            message = await receive()
            if not message.get("more_body", False):
                whole: bytes = message.get("body", b"")
                if len(whole) > MAX_BODY:
                    raise _too_large()
                return whole
            parts = bytearray(message["body"])
            while message.get("more_body", False):
                message = await receive()
                parts += message.get("body", b"")
                if len(parts) > MAX_BODY:
                    raise _too_large()
            return bytes(parts)
    except TimeoutError as exc:
        details = f"The body did not come within {BODY_S:g} s."
        raise OfrepRefused(400, details, code=_PARSE, closes=True) from exc


def _too_large() -> OfrepRefused:
    details = f"The context is larger than {MAX_BODY // 1024} kB: send what flags are decided by."
    return OfrepRefused(400, details, code=_CONTEXT, closes=True)


def parse(body: bytes) -> EvaluationContext:
    """Raises OfrepRefused with PARSE_ERROR or INVALID_CONTEXT."""
    try:
        asked = _decode(body)
    except RecursionError as exc:
        raise OfrepRefused(400, "The body is nested too deeply.", code=_CONTEXT) from exc
    except (msgspec.DecodeError, UnicodeDecodeError) as exc:
        details = f'The body is no JSON object such as {{"context": {{}}}}: {exc}.'
        raise OfrepRefused(400, details, code=_PARSE) from exc
    context = {} if asked.context is msgspec.UNSET else asked.context
    if not isinstance(context, dict):
        raise OfrepRefused(400, "context is no object.", code=_CONTEXT)
    if not _is_small(context):
        details = f"context holds more than {MAX_VALUES} values, or goes deeper than {MAX_DEPTH}."
        raise OfrepRefused(400, details, code=_CONTEXT)
    key = context.pop("targetingKey", None)
    if key is not None and not isinstance(key, str):
        raise OfrepRefused(400, "context.targetingKey is no string.", code=_CONTEXT)
    return EvaluationContext(targeting_key=key, attributes=context)


def _is_small(context: dict[str, Any]) -> bool:
    level: list[Any] = [context]
    seen = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            seen += len(value)
            inner = value.values() if isinstance(value, dict) else value
            below += [each for each in inner if isinstance(each, dict | list)]
        if seen > MAX_VALUES:
            return False
        if not below:
            return True
        level = below
    return False


def secret_of(headers: Mapping[bytes, bytes]) -> str:
    """The token of a request; OfrepRefused says how to bring one."""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, secret = authorization.partition(" ")
    if not scheme:
        secret = headers.get(b"x-api-key", b"").decode("latin-1")
    elif scheme.lower() != "bearer":
        raise OfrepRefused(401, "Authorization must be: Bearer <token>.", closes=True)
    if not (secret := secret.strip()):
        details = "Send Authorization: Bearer <token>, or X-API-Key; tokens are made in Settings."
        raise OfrepRefused(401, details, closes=True)
    return secret


def failed(scope: Scope, refused: OfrepRefused, key: str | None) -> tuple[bytes, Headers]:
    """The body and headers of a refusal."""
    body = encode(
        Failure(
            key=msgspec.UNSET if key is None else key,
            error_code=refused.code.value,
            error_details=str(refused),
        )
    )
    headers: Headers = []
    if refused.status == 401:  # noqa: PLR2004 - its own name
        headers.append((b"www-authenticate", b'Bearer realm="switchyard"'))
    if refused.retry_after_s:
        headers.append((b"retry-after", b"%d" % refused.retry_after_s))
    if refused.allowed:
        headers.append((b"allow", f"{refused.allowed}, OPTIONS".encode()))
    if refused.closes and scope.get("http_version", "1.1").startswith("1"):
        headers.append((b"connection", b"close"))
    return body, headers
