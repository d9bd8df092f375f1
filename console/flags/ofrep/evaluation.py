"""Answers of OFREP from the flags of this process: one flag, or all of them with their ETag."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final, Protocol

import msgspec
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails, Reason

from console.flags.ofrep.wire import (
    Bulk,
    EventStream,
    Failure,
    OfrepRefused,
    Success,
    encode,
    encode_sorted,
)
from console.flags.telemetry import tell
from monitoring.instruments import FLAG_EVALUATIONS

UNKNOWN: Final = "There is no flag {key!r} here."
NO_FLAGS: Final = "No flags are known yet: neither the database nor a copy of them can be read."
# A flag takes some 80 µs: nobody waits longer than 4 ms for another's thousand.
_AT_ONCE: Final = 50
_TRIES: Final = 3
_STATUS: Final = {ErrorCode.FLAG_NOT_FOUND: 404}


class Flags(Protocol):
    """What holds now: `console.flags.provider.FlagProvider`."""

    @property
    def revision(self) -> int: ...
    @property
    def document(self) -> Mapping[str, Any]: ...
    def evaluate(self, key: str, context: EvaluationContext) -> FlagResolutionDetails[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shape:
    """How a flag is decided, read once a revision. `keyed`: by the hash of a targeting key.

    `metadata` is the flag's own: with the version of all flags in it, a change of one would look
    to clients like a change of each.
    """

    splits: bool
    keyed: bool
    is_float: bool
    metadata: msgspec.Raw


class Evaluation:
    """Everything on the caller's thread, from memory alone."""

    def __init__(self, current: Callable[[], Flags]) -> None:
        self._current = current
        self._document: Mapping[str, Any] = {}
        self._shapes: dict[str, _Shape] = {}
        self._count = _Count()

    @property
    def revision(self) -> int:
        return self._current().revision

    def one(self, key: str, context: EvaluationContext) -> bytes:
        """Raises OfrepRefused where the flag has no answer."""
        flags = self._known()
        if key not in self._shapes:
            raise OfrepRefused(404, UNKNOWN.format(key=key), code=ErrorCode.FLAG_NOT_FOUND)
        found = self._answer(flags, key, context)
        if isinstance(found, Failure):
            code = ErrorCode(found.error_code)
            raise OfrepRefused(_STATUS.get(code, 400), found.error_details, code=code)
        return encode(found)

    async def all(
        self, context: EvaluationContext, streams: list[EventStream]
    ) -> tuple[bytes, bytes]:
        """(body, ETag). The tag says what was asked as well as what was answered: a flag may move
        with the time alone, and the address of a stream ends.

        Other calls have their turns in between; all answers are of one document all the same.
        """
        tries, answers = 0, None
        while answers is None:
            flags, tries = self._known(), tries + 1
            revision, metadata = flags.revision, flags.document.get("metadata", {})
            answers = await self._answers(flags, context, turns=tries < _TRIES)
        body = encode(
            Bulk(
                flags=answers,
                event_streams=streams,
                metadata={**metadata, "revision": revision},
            )
        )
        tag = blake2b(body, digest_size=16)
        tag.update(encode_sorted([revision, context.targeting_key, context.attributes]))
        return body, b'"%s"' % tag.hexdigest().encode()

    async def _answers(
        self, flags: Flags, context: EvaluationContext, *, turns: bool
    ) -> list[Success | Failure] | None:
        """None where the flags changed meanwhile; without `turns` nothing happens meanwhile."""
        document = flags.document
        answers: list[Success | Failure] = []
        for key in tuple(self._shapes):
            if turns and answers and not len(answers) % _AT_ONCE:
                await asyncio.sleep(0)
                if self._current().document is not document:
                    return None
            answers.append(self._answer(flags, key, context))
        return answers

    def _known(self) -> Flags:
        flags = self._current()
        if not (flags.revision or flags.document["flags"]):
            raise OfrepRefused(503, NO_FLAGS, retry_after_s=2)
        if flags.document is not self._document:
            self._document = flags.document
            self._shapes = {key: _shape(flag) for key, flag in self._document["flags"].items()}
        return flags

    def _answer(self, flags: Flags, key: str, context: EvaluationContext) -> Success | Failure:
        shape = self._shapes[key]
        if shape.keyed and not context.targeting_key:
            text = f"{key} is given to a share of targeting keys: send context.targetingKey."
            return _failure(key, ErrorCode.TARGETING_KEY_MISSING, text)
        details = flags.evaluate(key, context)
        tell(key, details)
        if details.error_code is not None:
            text = details.error_message or f"{key} cannot be evaluated with this context."
            return _failure(key, details.error_code, text)
        reason = str(details.reason or Reason.UNKNOWN)
        if shape.splits and reason == Reason.TARGETING_MATCH:
            reason = str(Reason.SPLIT)
        if details.variant is None:
            return Success(key=key, reason=reason, variant="", metadata=shape.metadata)
        self._count(key, details.variant)
        value = details.value
        if shape.is_float and type(value) is int:
            value = float(value)
        return Success(
            key=key,
            reason=reason,
            variant=details.variant,
            value=value,
            metadata=shape.metadata,
        )


class _Count:
    """Of evaluations, with each label looked up once."""

    def __init__(self) -> None:
        self._children: dict[tuple[str, str], Any] = {}

    def __call__(self, key: str, variant: str) -> None:
        child = self._children.get((key, variant))
        if child is None:
            child = self._children[key, variant] = FLAG_EVALUATIONS.labels(key, variant)
        child.inc()


def _failure(key: str, code: ErrorCode, details: str) -> Failure:
    return Failure(key=key, error_code=code.value, error_details=details)


def _shape(flag: Mapping[str, Any]) -> _Shape:
    targeting = flag.get("targeting") or {}
    match targeting:
        case {"if": [{"var": "targetingKey"}, {"fractional": [*_]}]}:
            splits = keyed = True
        case {"fractional": [first, *_]}:
            splits, keyed = True, isinstance(first, list)
        case _:
            splits = keyed = False
    enabled = flag.get("state") == "ENABLED"
    metadata = flag.get("metadata", {})
    return _Shape(
        splits=splits,
        keyed=keyed and enabled,
        is_float=metadata.get("type") == "float",
        metadata=msgspec.Raw(encode(metadata)),
    )
