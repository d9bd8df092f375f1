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
_ASK_S = 4.0
"""As long as one question to one node may take: less than all of it, so that a node that hangs is
known by it, and others are asked still."""
_SILENT_S = 5.0
"""How long a node that gave no answer is not asked again: thousands of items may wait for it."""
_APART_BYTES = 256 << 10
_APART_KEPT = 8
"""Nodes whose word on blocks is remembered, for items of the same moment, and how much of each."""
_SILENCE = frozenset({
    "node_unreachable", "node_timeout", "http_status", "breaker_open", "rate_limited",
    "deadline_exceeded", "no_node", "address_refused", "wrong_chain",
})  # fmt: skip


class Examined(NamedTuple):
    """An outcome, all that it rests on, and the level that was asked."""

    outcome: Outcome
    heard: Sequence[Heard]
    level: int


class _Apart(NamedTuple):
    """What is one node's alone: whoever asks it shares its answers, and no others."""

    fetcher: "_OneNode"
    grounds: Grounds


class SecondOpinions:
    """Those of one engine. Belongs to its loop."""

    def __init__(self, grounds: Grounds, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._grounds = grounds
        self._clock = clock
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._silent_until: dict[str, float] = {}
        self._apart: dict[str, _Apart] = {}
        self._joins = True

    def shrink(self, share: float) -> None:
        """Lets go of all but so much of what is remembered, for the sake of memory."""
        for apart in self._apart.values():
            apart.grounds.blocks.shrink(share)

    def share(self, *, flights: bool) -> None:
        """Whether items that ask one node the same at the same time wait for one answer."""
        self._joins = flights
        for apart in self._apart.values():
            apart.grounds.blocks.share(flights=flights)

    def forget(self) -> None:
        """Nothing that was remembered of blocks before this is given out."""
        self._apart = {}

    async def on(
        self, subject: Subject, accused: Outcome, *, level: int, explain: bool
    ) -> Examined | None:
        """The word of a node whose answers pass where those of `accused` did not, with everybody
        who was caught on the way; None where there is none, and `accused` stands.
        """
        asked = {caught.node for caught in _caught(accused)} or {accused.node}
        found = list(_caught(accused))
        async with self._turns:
            label = ""
            try:
                async with asyncio.timeout(_WITHIN_S):
                    for label in self._to_ask(asked):  # the last is whom it ran out with
                        word = await self.of(label, subject, level=level, explain=explain)
                        found += _caught(word.outcome)
                        if _clears(word.outcome, accused):
                            ms = round(accused.ms + word.outcome.ms, 3)
                            told = msgspec.structs.replace(word.outcome, ms=ms)
                            return Examined(with_caught(told, found), word.heard, level)
            except TimeoutError:
                self._is_silent(label)  # nobody answered in time: there is the word of one node
        return None

    async def of(
        self, label: str, subject: Subject, *, level: int, explain: bool = False
    ) -> Examined:
        """What validating by this node alone comes to."""
        apart = self._apart_of(label)
        heard: list[Heard] = []
        outcome = await validate(
            subject,
            level=level,
            fetcher=apart.fetcher,
            grounds=apart.grounds,
            heard=heard,
            explain=explain,
        )
        if outcome.verdict is Verdict.ERROR and outcome.reason in _SILENCE:
            self._is_silent(label)
        return Examined(outcome, heard, level)

    def _is_silent(self, label: str) -> None:
        now = self._clock()
        left = {node: until for node, until in self._silent_until.items() if until > now}
        self._silent_until = left | {label: now + _SILENT_S}

    def _to_ask(self, asked: set[str]) -> list[str]:
        others = self._grounds.others
        labels = () if others is None else others.labels()
        now = self._clock()
        left = [n for n in labels if n not in asked and self._silent_until.get(n, 0.0) <= now]
        return left[:_MOST_ASKED]

    def _apart_of(self, label: str) -> _Apart:
        """Blocks of its own: what another node said of one may be what is in doubt."""
        others = self._grounds.others
        if others is None:
            raise ValueError(f"{label}: the nodes of this engine cannot be asked one by one")
        apart = self._apart.pop(label, None)
        if apart is None:
            in_service = others.labels()
            left = [(node, kept) for node, kept in self._apart.items() if node in in_service]
            self._apart = dict(left[1 - _APART_KEPT :])
            blocks = SharedBlocks(most_bytes=_APART_BYTES)
            blocks.share(flights=self._joins)
            apart = _Apart(_OneNode(others, label), replace(self._grounds, blocks=blocks))
        self._apart[label] = apart  # the last to be forgotten
        return apart


class _OneNode:
    """A fetcher that asks one node, and no cache."""

    def __init__(self, others: Others, label: str) -> None:
        self._others = others
        self._label = label

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        del fresh  # nothing is remembered here
        within_s = _ASK_S if timeout_s is None else min(timeout_s, _ASK_S)
        return await self._others.fetch_from(self._label, calls, timeout_s=within_s)


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
