"""JSON-RPC 2.0 on the wire: a batch written from pre-encoded calls, its answers bound by id.

Enters: the fragments of a batch, and the node's body. Leaves: for each call its raw `result` or
the error that is its own. Ids are consecutive from an unpredictable base, so that an answer to
another request matches nothing; one missing, extra, doubled or wrong-typed id condemns the batch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import msgspec

from validation.rpc.calls import Call
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import (
    AnswerTooLarge,
    BadAnswer,
    BatchRefused,
    CallRefused,
    RateLimited,
    RpcError,
)
from validation.rpc.strict import Refused, check_exactly, check_value

type Answer = bytes | RpcError

_MAX_MESSAGE = 200
_KEYS_OF_AN_ANSWER = 3
_LIMIT_CODES = frozenset({-32005, 429})

_encode = msgspec.json.encode
_prefixes: dict[str, bytes] = {}


class _Answer(msgspec.Struct, gc=False):
    id: int
    jsonrpc: str
    result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    error: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Failure(msgspec.Struct, gc=False):
    code: int
    message: str = ""


class _WholeRefusal(msgspec.Struct, gc=False):
    error: _Failure


_decode_many = msgspec.json.Decoder(list[_Answer]).decode
_decode_one = msgspec.json.Decoder(_Answer).decode
_decode_failure = msgspec.json.Decoder(_Failure).decode
_decode_refusal = msgspec.json.Decoder(_WholeRefusal).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimits:
    """What a body may hold before anything is built from it."""

    max_containers: int
    max_depth: int


def fragment(call: Call) -> bytes:
    """A call's JSON without its id: equal bytes for equal calls, so it is shared by them."""
    prefix = _prefixes.get(call.method)
    if prefix is None:
        prefix = b'"method":' + _encode(call.method) + b',"params":'
        if len(_prefixes) < 1000:  # noqa: PLR2004 - methods are a handful; a bound all the same
            _prefixes[call.method] = prefix
    return prefix + _encode(call.params) + b"}"


def encode_batch(fragments: Sequence[bytes], base: int) -> bytes:
    """The body: a single object for one call, since not every node takes batches."""
    calls = [
        b'{"jsonrpc":"2.0","id":%d,%b' % (number, text)
        for number, text in enumerate(fragments, base)
    ]
    return calls[0] if len(calls) == 1 else b"[" + b",".join(calls) + b"]"


def decode_batch(
    body: bytes, *, base: int, count: int, limits: BodyLimits, node: NodeUrl
) -> list[Answer]:
    """The answers in the order of the calls, or one error for the whole batch."""
    if body.count(b"{") + body.count(b"[") > limits.max_containers:
        raise AnswerTooLarge(
            f"the answer holds more than {limits.max_containers} objects and lists", node=node.label
        )
    try:
        answers = _parse(body, count, node)
        bound, colons = _bind(answers, base=base, count=count, limits=limits, node=node)
        if body.count(b":") != colons:  # keys beyond the three, or twice, or a colon within a text
            check_exactly(body)
    except msgspec.ValidationError as exc:
        raise BadAnswer(f"not a JSON-RPC 2.0 answer: {exc}", node=node.label) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadAnswer("answered something that is not JSON", node=node.label) from None
    except RecursionError:
        raise BadAnswer("the answer is nested too deeply", node=node.label) from None
    except Refused as exc:
        raise BadAnswer(f"the answer is refused: {exc}", node=node.label) from None
    return bound


def _parse(body: bytes, count: int, node: NodeUrl) -> list[_Answer]:
    if body[:1] == b"[" or body.lstrip()[:1] == b"[":
        if count == 1:
            raise BadAnswer("answered a list to a single call", node=node.label)
        return _decode_many(body)
    try:
        answer = _decode_one(body)
    except msgspec.ValidationError:
        _raise_refusal(body, count, node)
        raise
    if count > 1:
        _raise_refusal(body, count, node)
        raise BadAnswer(f"answered one object to a batch of {count} calls", node=node.label)
    return [answer]


def _raise_refusal(body: bytes, count: int, node: NodeUrl) -> None:
    """One error object without the id of a call: the node refused all of what it was sent."""
    try:
        failure = _decode_refusal(body).error
    except msgspec.ValidationError:
        return
    text = clean(failure.message, node)
    if failure.code in _LIMIT_CODES:
        raise RateLimited(f"the node limits its calls: {text}", node=node.label)
    what = "the call" if count == 1 else f"a batch of {count} calls as a whole"
    raise BatchRefused(
        f"the node refused {what}: {text} (JSON-RPC error {failure.code})", node=node.label
    )


def _bind(
    answers: list[_Answer], *, base: int, count: int, limits: BodyLimits, node: NodeUrl
) -> tuple[list[Answer], int]:
    """The answers in the order of the calls, and how many colons the body holds if it is plain."""
    if len(answers) != count:
        raise BadAnswer(f"{len(answers)} answers to {count} calls", node=node.label)
    bound: list[Answer | None] = [None] * count
    colons = count * _KEYS_OF_AN_ANSWER
    for answer in answers:
        place = answer.id - base
        if not 0 <= place < count:
            raise BadAnswer("an answer's id is none that was asked", node=node.label)
        if bound[place] is not None:
            raise BadAnswer("two answers bear the same id", node=node.label)
        if answer.jsonrpc != "2.0":
            raise BadAnswer('an answer without "jsonrpc": "2.0"', node=node.label)
        raw, value = _open(answer, node)
        colons += check_value(raw, max_depth=limits.max_depth)
        bound[place] = value
    # As many answers as places and none twice: every place is filled.
    return cast(list[Answer], bound), colons


def _open(answer: _Answer, node: NodeUrl) -> tuple[bytes, Answer]:
    """The raw JSON that the answer bears, and what it means to its call."""
    if answer.error is msgspec.UNSET or bytes(answer.error) == b"null":
        if answer.result is msgspec.UNSET:
            raise BadAnswer("an answer with neither result nor error", node=node.label)
        raw = bytes(answer.result)
        return raw, raw
    if answer.result is not msgspec.UNSET and bytes(answer.result) != b"null":
        raise BadAnswer("an answer with both result and error", node=node.label)
    raw = bytes(answer.error)
    return raw, _refusal_of(_decode_failure(raw), node)


def _refusal_of(failure: _Failure, node: NodeUrl) -> RpcError:
    text = clean(failure.message, node)
    if failure.code in _LIMIT_CODES:
        return RateLimited(f"the node limits its calls: {text}", node=node.label)
    return CallRefused(
        f"{text or 'no reason given'} (JSON-RPC error {failure.code})",
        code=failure.code,
        node=node.label,
    )


def clean(text: str, node: NodeUrl) -> str:
    """A node's words made fit to show: one line, bounded, without the credentials it was sent."""
    shown = "".join(char if char.isprintable() else " " for char in text[: _MAX_MESSAGE * 4])
    return " ".join(node.scrub(shown).split())[:_MAX_MESSAGE]
