"""The demo chain as one node with single answers replaced: a fetcher that lies where told."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from validation.devnode.methods import Method
from validation.rpc import Call, Reply
from validation.subjects import parse_subject
from validation.validators import Grounds, Outcome, validate

type Question = tuple[str, str]
"""A method, and its first parameter."""


class Liar:
    """`lies` replace the answers to their questions; `told` are those that were asked."""

    def __init__(self, truth: Mapping[str, Method], lies: Mapping[Question, Any]) -> None:
        self._truth = truth
        self._lies = {question: msgspec.json.encode(lie) for question, lie in lies.items()}
        self.told: set[Question] = set()

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        raws = tuple(map(self._raw, calls))
        values = tuple(call.decode(raw) for call, raw in zip(calls, raws, strict=True))
        return Reply(values, "liar", raws)

    def _raw(self, call: Call) -> bytes:
        question = (call.method, str(call.params[0]))
        if question in self._lies:
            self.told.add(question)
            return self._lies[question]
        return true_answer(self._truth, *call.params, method=call.method)


def true_answer(truth: Mapping[str, Method], *params: object, method: str) -> bytes:
    """As a node reads it from JSON, which knows no tuples."""
    return truth[method]([list(each) if isinstance(each, tuple) else each for each in params])


async def examined(
    truth: Mapping[str, Method], subject: str, lies: Mapping[Question, Any], *, chain_id: int
) -> tuple[Outcome, set[Question]]:
    """The outcome at level 3 of an engine that remembers nothing, and the lies that were told."""
    node = Liar(truth, lies)
    grounds = Grounds(chain_id=chain_id)
    outcome = await validate(parse_subject(subject), level=3, fetcher=node, grounds=grounds)
    return outcome, node.told
