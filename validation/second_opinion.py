"""Another node is asked before somebody is accused of lying to the operator.

An item that is invalid by what one node says is validated again by what another says, all of it.
Where that one's answers pass, the verdict is its, and the first is caught. Where no node's pass,
the item is invalid.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import msgspec
from msgspec import UNSET

from validation.rpc import Call, Reply
from validation.subjects import Subject
from validation.validators import (
    Caught,
    Grounds,
    Heard,
    Others,
    Outcome,
    Status,
    Verdict,
    validate,
)
from validation.validators.shared_blocks import SharedBlocks

_AT_ONCE = 64
"""Items of one engine that other nodes are asked about at a time."""
_MOST_ASKED = 4
_WITHIN_S = 10.0
_SILENT_S = 5.0
"""How long a node that gave no answer is not asked again: thousands of items may wait for it."""
_SILENCE = frozenset({
    "node_unreachable", "node_timeout", "http_status", "breaker_open", "rate_limited",
    "deadline_exceeded", "no_node", "address_refused", "wrong_chain",
})  # fmt: skip


class Examined(NamedTuple):
    """An outcome, all that it rests on, and the level that was asked."""

    outcome: Outcome
    heard: Sequence[Heard]
    level: int


class SecondOpinions:
    """Those of one engine. Belongs to its loop."""

    def __init__(self, grounds: Grounds, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._grounds = grounds
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._silent_until: dict[str, float] = {}
        self._apart: dict[str, Grounds] = {}

    async def on(
        self, subject: Subject, accused: Outcome, *, level: int, explain: bool
    ) -> Examined | None:
        """The word of a node whose answers pass where those of `accused` did not, with everybody
        who was caught on the way; None where there is none, and `accused` stands.
        """
        asked = {caught.node for caught in _caught(accused)} or {accused.node}
        found = list(_caught(accused))
        async with self._turns:
            try:
                async with asyncio.timeout(_WITHIN_S):
                    for label in self._to_ask(asked):
                        word = await self.of(label, subject, level=level, explain=explain)
                        found += _caught(word.outcome)
                        if _clears(word.outcome, accused):
                            ms = round(accused.ms + word.outcome.ms, 3)
                            told = msgspec.structs.replace(word.outcome, ms=ms)
                            return Examined(with_caught(told, found), word.heard, level)
            except TimeoutError:
                pass  # nobody answered in time: there is the word of one node
        return None

    async def of(
        self, label: str, subject: Subject, *, level: int, explain: bool = False
    ) -> Examined:
        """What validating by this node alone comes to."""
        others = self._grounds.others
        if others is None:
            raise ValueError(f"{label}: the nodes of this engine cannot be asked one by one")
        heard: list[Heard] = []
        outcome = await validate(
            subject,
            level=level,
            fetcher=_OneNode(others, label),
            grounds=self._grounds_of(label),
            heard=heard,
            explain=explain,
        )
        if outcome.verdict is Verdict.ERROR and outcome.reason in _SILENCE:
            self._silent_until[label] = self._clock() + _SILENT_S
        return Examined(outcome, heard, level)

    def _to_ask(self, asked: set[str]) -> list[str]:
        others = self._grounds.others
        labels = () if others is None else others.labels()
        now = self._clock()
        left = [n for n in labels if n not in asked and self._silent_until.get(n, 0.0) <= now]
        return left[:_MOST_ASKED]

    def _grounds_of(self, label: str) -> Grounds:
        """Blocks of its own: what another node said of one may be what is in doubt."""
        if label not in self._apart:
            if len(self._apart) > _AT_ONCE:
                self._apart.clear()
            self._apart[label] = replace(self._grounds, blocks=SharedBlocks())
        return self._apart[label]


class _OneNode:
    """A fetcher that asks one node, and no cache."""

    def __init__(self, others: Others, label: str) -> None:
        self._others = others
        self._label = label

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        del fresh  # nothing is remembered here
        return await self._others.fetch_from(self._label, calls, timeout_s=timeout_s)


def with_caught(outcome: Outcome, caught: Sequence[Caught]) -> Outcome:
    """Each node once for each check."""
    first = {(each.node, each.check): each for each in reversed(caught)}
    told = tuple(each for each in caught if first[each.node, each.check] is each)
    return msgspec.structs.replace(outcome, caught=told or UNSET)


def _caught(outcome: Outcome) -> Sequence[Caught]:
    return () if outcome.caught is UNSET else outcome.caught


def _clears(word: Outcome, accused: Outcome) -> bool:
    """Whether this node's answers passed what those of the accused failed. An item may also be
    unverifiable for now, at a level that takes time.
    """
    if word.verdict is Verdict.UNVERIFIABLE:
        failed = {check.name for check in accused.checks if check.status is Status.FAIL}
        return failed <= {check.name for check in word.checks if check.status is Status.PASS}
    return word.verdict is Verdict.VALID
