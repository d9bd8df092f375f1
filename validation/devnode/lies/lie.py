"""What a lie is, and how one is told: results first, then the list of answers, then the bytes."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from validation.devnode.chain import Chain
from validation.devnode.wire import Asked

type Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """An HTTP answer; more than one chunk is sent without a length."""

    chunks: Iterable[bytes]
    status: int = 200
    content_type: bytes = b"application/json"
    headers: Sequence[tuple[bytes, bytes]] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One true result, decoded for the lie alone, which may change it in place."""

    method: str
    params: Sequence[Any]
    result: Any
    chain: Chain


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """Exactly one of `result`, `answers` and `body` tells it.

    `level` is the level of trust at which it is caught: 0 by the client, before any check; None for
    what no level catches by itself (another node, or a proof, is needed) or what is no lie at all.
    """

    name: str
    says: str
    caught_by: str
    level: int | None
    result: Callable[[Told], Any] | None = field(default=None, repr=False)
    answers: Callable[[list[Answer]], list[Answer]] | None = field(default=None, repr=False)
    body: Callable[[bytes], Spoken] | None = field(default=None, repr=False)


def tell(lie: Lie, asked: Asked, truth: bytes, chain: Chain) -> tuple[Spoken, int]:
    """The reply to send instead of the `truth`, which is not empty, and the lies in it, counted."""
    if lie.body:
        return lie.body(truth), 1
    answers: list[Answer] = msgspec.json.decode(truth if asked.batch else b"[%b]" % truth)
    before = list(map(msgspec.json.encode, answers))
    if lie.result:
        _tell_results(lie.result, asked, answers, chain)
    if lie.answers:
        answers = lie.answers(answers)
    after = list(map(msgspec.json.encode, answers))
    changed = sum(1 for was, now in zip(before, after, strict=False) if was != now)
    lies = changed + abs(len(before) - len(after))
    if asked.batch:
        return Spoken(chunks=(b"[%b]" % b",".join(after),)), lies
    return Spoken(chunks=(after[0] if after else b"{}",)), lies


def _tell_results(
    change: Callable[[Told], Any], asked: Asked, answers: Sequence[Answer], chain: Chain
) -> None:
    for call, answer in zip(asked.answered(), answers, strict=True):
        if answer.get("result") is not None:
            told = Told(
                method=call.method, params=call.params, result=answer["result"], chain=chain
            )
            answer["result"] = change(told)
