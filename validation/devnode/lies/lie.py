"""What a lie is, and how one is told: results first, then the list of answers, then the bytes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from validation.devnode.lies.stock import Stock
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
    """One true result, decoded for the lie alone, which may change it in place.

    `result` is None where the truth is null or an error.
    """

    method: str
    params: Sequence[Any]
    result: Any
    stock: Stock


@dataclass(frozen=True, slots=True, kw_only=True)
class Lie:
    """Exactly one of `result`, `answers` and `body` tells it.

    `promises`: for each kind of item that it is told about, the level of trust that promises to
    catch it: 0 by the client, before any check; None where no level does by itself. `caught_by`
    says by what, and `why` why not at the levels below, or why at none. `is_harmless`: nothing
    untrue is said by it, so that it must do no harm.
    """

    name: str
    says: str
    promises: Mapping[str, int | None]
    caught_by: str
    why: str
    is_harmless: bool = False
    result: Callable[[Told], Any] | None = field(default=None, repr=False)
    answers: Callable[[list[Answer]], list[Answer]] | None = field(default=None, repr=False)
    body: Callable[[bytes], Spoken] | None = field(default=None, repr=False)

    @property
    def level(self) -> int | None:
        """The lowest that promises to catch it, whatever it is told about."""
        return min((at for at in self.promises.values() if at is not None), default=None)


def tell(lie: Lie, asked: Asked, truth: bytes, stock: Stock) -> tuple[Spoken, int]:
    """The reply to send instead of the `truth`, which is not empty, and the lies in it, counted."""
    if lie.body:
        return lie.body(truth), 1
    answers: list[Answer] = msgspec.json.decode(truth if asked.batch else b"[%b]" % truth)
    before = list(map(msgspec.json.encode, answers))
    if lie.result:
        _tell_results(lie.result, asked, answers, stock)
    if lie.answers:
        answers = lie.answers(answers)
    after = list(map(msgspec.json.encode, answers))
    changed = sum(1 for was, now in zip(before, after, strict=False) if was != now)
    lies = changed + abs(len(before) - len(after))
    if asked.batch:
        return Spoken(chunks=(b"[%b]" % b",".join(after),)), lies
    return Spoken(chunks=(after[0] if after else b"{}",)), lies


def _tell_results(
    change: Callable[[Told], Any], asked: Asked, answers: Sequence[Answer], stock: Stock
) -> None:
    for call, answer in zip(asked.answered(), answers, strict=True):
        told = Told(
            method=call.method, params=call.params, result=answer.get("result"), stock=stock
        )
        said = change(told)
        if said is not None:  # also where the truth was an error
            answer.pop("error", None)
            answer["result"] = said
        elif "error" not in answer:
            answer["result"] = None
