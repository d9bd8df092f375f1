"""JSON-RPC 2.0 itself: what a body asks for, and the bytes of the reply.

Well-formed batches are decoded by one typed decoder; only a body that it refuses is taken apart
call by call, to find out which of them is at fault.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import msgspec

from validation.devnode import errors
from validation.devnode.errors import RpcFault
from validation.devnode.methods import Method

MOST_CALLS = 1_000
MOST_REPLY_BYTES = 32 * 1024 * 1024

_NO_ID: Final = msgspec.Raw(b"")
_ID_STARTS: Final = b'"-0123456789n'  # a string, a number or null
_NULL: Final = msgspec.Raw(b"null")


class Call(msgspec.Struct, gc=False):
    """One well-formed call; without an id it is a notification and gets no answer."""

    jsonrpc: Literal["2.0"]
    method: str
    params: list[Any] = []
    id: msgspec.Raw = _NO_ID


@dataclass(frozen=True, slots=True)
class Refused:
    """A call that is answered with an error whatever it asked."""

    id: msgspec.Raw
    fault: RpcFault
    method: str = ""
    params: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """What one body asks for; `batch` says whether the reply is a list."""

    calls: Sequence[Call | Refused]
    batch: bool

    def answered(self) -> list[Call | Refused]:
        return [call for call in self.calls if call.id is not _NO_ID]


_decode_one = msgspec.json.Decoder(Call).decode
_decode_batch = msgspec.json.Decoder(list[Call]).decode
_decode_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.encode
_BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(body: bytes) -> Asked:
    """RpcFault where the body as a whole is at fault."""
    batch = body[:1] == b"["
    try:
        calls: Sequence[Call | Refused] = _decode_batch(body) if batch else [_decode_one(body)]
    except _BROKEN:
        return _examined(body)
    if not calls or len(calls) > MOST_CALLS:
        raise _wrong_count(len(calls))
    return Asked(calls, batch)


def _wrong_count(count: int) -> RpcFault:
    if not count:
        return RpcFault(errors.INVALID_REQUEST, "invalid request: the batch is empty")
    return RpcFault(
        errors.LIMIT_EXCEEDED, f"limit exceeded: {count} calls in a batch, at most {MOST_CALLS}"
    )


def _examined(body: bytes) -> Asked:
    try:
        whole = msgspec.json.decode(body)
    except _BROKEN as exc:
        raise RpcFault(errors.PARSE_ERROR, f"parse error: {exc}") from exc
    if not isinstance(whole, list):
        return Asked([_examined_call(body, whole)], batch=False)
    if not 0 < len(whole) <= MOST_CALLS:
        raise _wrong_count(len(whole))
    parts = zip(_decode_parts(body), whole, strict=True)
    return Asked([_examined_call(part, plain) for part, plain in parts], batch=True)


def _examined_call(part: bytes | msgspec.Raw, plain: object) -> Call | Refused:
    try:
        return _decode_one(part)
    except _BROKEN:
        pass  # the reason is worked out below, in the words of the specification
    if not isinstance(plain, dict):
        return _invalid(_NULL, "a call must be an object")
    given = plain.get("id")
    known = isinstance(given, str | int | float | None) and not isinstance(given, bool)
    ident = msgspec.Raw(_encode(given)) if known else _NULL
    if (why := _what_is_wrong(plain)) is not None:
        return _invalid(ident, why)
    ident = ident if "id" in plain else _NO_ID
    if plain.get("params") is None:  # many clients say null for none
        return Call(jsonrpc="2.0", method=plain["method"], id=ident)
    fault = RpcFault(errors.INVALID_PARAMS, "invalid params: they go by position, as a list")
    return Refused(ident, fault)


def _what_is_wrong(call: Mapping[str, object]) -> str | None:
    if call.get("jsonrpc") != "2.0":
        return '"jsonrpc" must be "2.0"'
    if not isinstance(call.get("method"), str):
        return '"method" must be a string'
    if not isinstance(call.get("params"), list | dict | None):
        return '"params" must be a list'
    return None


def _invalid(ident: msgspec.Raw, why: str) -> Refused:
    return Refused(ident, RpcFault(errors.INVALID_REQUEST, f"invalid request: {why}"))


def error_bytes(fault: RpcFault, ident: bytes = b"null") -> bytes:
    message = _encode({"code": fault.code, "message": fault.message})
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}' % (ident, message)


def reply(asked: Asked, methods: Mapping[str, Method]) -> bytes:
    """The whole reply; empty where there were notifications only."""
    answers: list[bytes] = []
    room = MOST_REPLY_BYTES
    for call in asked.calls:
        if call.id is _NO_ID:
            continue
        ident = bytes(call.id)
        method = methods.get(call.method)
        if method is None or ident[0] not in _ID_STARTS or room < 0:
            answers.append(_refusal(call, ident, room))
            continue
        try:
            result = method(call.params)
        except RpcFault as fault:
            answers.append(error_bytes(fault, ident))
            continue
        room -= len(result)
        answers.append(b'{"jsonrpc":"2.0","id":%b,"result":%b}' % (ident, result))
    if not asked.batch:
        return answers[0] if answers else b""
    return b"[%b]" % b",".join(answers) if answers else b""


def _refusal(call: Call | Refused, ident: bytes, room: int) -> bytes:
    if ident[0] not in _ID_STARTS:
        why = 'invalid request: "id" must be a string, a number or null'
        return error_bytes(RpcFault(errors.INVALID_REQUEST, why))
    if isinstance(call, Refused):
        return error_bytes(call.fault, ident)
    if room < 0:
        why = f"limit exceeded: the reply is longer than {MOST_REPLY_BYTES} bytes"
        return error_bytes(RpcFault(errors.LIMIT_EXCEEDED, why), ident)
    why = f"the method {call.method[:60]!r} does not exist"
    return error_bytes(RpcFault(errors.METHOD_NOT_FOUND, why), ident)
