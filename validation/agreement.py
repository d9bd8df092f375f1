"""Whether other nodes say the same about an item: beside the verdict, never a part of it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from validation.canonical import canonical, difference
from validation.rpc import Call, RpcError
from validation.rpc.answers import Unreadable, read_quantity_64
from validation.subjects import Kind, Subject
from validation.validators import Agreement, Difference, Grounds, Heard, Others, Outcome

__all__ = ["agree", "canonical"]

_ASK_S = 5.0
"""As long as one node may take; what it does not say until then, it does not say."""
WITHIN_S = 10.0
"""As long as all of them may take."""
_MOST_NODES = 16
_ACCOUNT = 3
"""Questions about an account, after that for its proof."""
_SAID_CHARS = 300
_LATEST = "latest"
_HEAD = (Call("eth_blockNumber", (), read_quantity_64),)


type _Values = tuple[Any, ...]


class _Unheard(Exception):
    """A node gave no answer that could be compared; its text is the reason."""


async def agree(
    subject: Subject,
    outcome: Outcome,
    heard: Sequence[Heard],
    *,
    asked: int,
    grounds: Grounds,
    within_s: float = WITHIN_S,
) -> Agreement:
    """Asks other nodes the question about the item that `outcome` rests on, until `asked` nodes
    say the same; all of them where one differs. Who was not heard `within_s` is silent. Raises
    nothing but what cancels it.
    """
    if not heard:  # nobody answered: there is nothing to agree with
        return Agreement(asked=asked, agreed=(), silent=(_said(outcome.node, outcome.reason),))
    first = _of_the_item(subject, heard)
    values = first.reply.values
    if any(type(value) is Unreadable for value in values):
        return Agreement(asked=asked, agreed=(), silent=(_said(outcome.node, outcome.reason),))
    others = grounds.others
    labels = [] if others is None else [n for n in others.labels() if n != first.reply.node]
    poll = _Poll(subject, first, others, within_s=within_s)
    await poll.until(asked, labels[:_MOST_NODES])
    if asked > len(labels) + 1:
        poll.silent.append(_said("", f"too few nodes: {len(labels) + 1} of {asked} are in service"))
    return Agreement(
        asked=asked,
        agreed=tuple(poll.agreed),
        differs=tuple(poll.differs),
        silent=tuple(poll.silent),
    )


def _of_the_item(subject: Subject, heard: Sequence[Heard]) -> Heard:
    """What was asked first; of an account that is proved, what it is at the block of its proof."""
    if subject.kind is Kind.ADDRESS:
        for calls, reply in heard:
            if len(calls) > _ACCOUNT and calls[-_ACCOUNT].method == "eth_getBalance":
                told = msgspec.structs.replace(reply, values=reply.values[-_ACCOUNT:])
                return Heard(calls[-_ACCOUNT:], told)
    return heard[0]


class _Poll:
    """What was said so far; each list in the order of the nodes."""

    def __init__(
        self, subject: Subject, first: Heard, others: Others | None, *, within_s: float
    ) -> None:
        self._until = asyncio.get_running_loop().time() + within_s
        self._subject = subject
        self._calls = first.calls
        self._node = first.reply.node
        self._values = first.reply.values
        self._content = canonical(subject.kind, self._values)
        self._others = others
        self.agreed = [first.reply.node]
        self.differs: list[Difference] = []
        self.silent: list[Difference] = []

    async def until(self, asked: int, labels: list[str]) -> None:
        """As many at once as are needed; once one differs, all that are left."""
        while labels and (len(self.agreed) < asked or self.differs):
            count = len(labels) if self.differs else asked - len(self.agreed)
            now, labels = labels[:count], labels[count:]
            for label, said in zip(now, await asyncio.gather(*map(self._hear, now)), strict=True):
                if said is None:
                    self.agreed.append(label)
                elif isinstance(said, _Unheard):
                    self.silent.append(_said(label, str(said)))
                else:
                    self.differs.append(_said(label, said))

    async def _hear(self, label: str) -> str | _Unheard | None:
        """What the node says otherwise; None where it says the same."""
        try:
            async with asyncio.timeout_at(self._until):
                theirs = await self._ask(label, self._calls)
                if canonical(self._subject.kind, theirs) == self._content:
                    return None
                if any(_LATEST in call.params for call in self._calls):
                    return await self._at_one_block(label)
        except TimeoutError:
            return _Unheard("deadline_exceeded")
        except _Unheard as unheard:
            return unheard
        return difference(self._calls, theirs, self._values)

    async def _at_one_block(self, label: str) -> str | None:
        """Honest nodes differ at their heads: both are asked again, at the lower of the two."""
        pair = (self._node, label)
        heads = await self._ask_both(pair, _HEAD)
        number = min(int(head, 16) for (head,) in heads)
        calls = tuple(_pinned(call, number) for call in self._calls)
        try:
            ours, theirs = await self._ask_both(pair, calls)
        except _Unheard as unheard:
            raise _Unheard(f"nothing to compare at block {number}: {unheard}") from None
        kind = self._subject.kind
        if canonical(kind, ours) == canonical(kind, theirs):
            return await self._flaw_of_the_first()
        return f"at block {number}: {difference(calls, theirs, ours)}"

    async def _flaw_of_the_first(self) -> str | None:
        """Where the node that the verdict rests on says otherwise of its newest block by name than
        by number, what others said of that number agrees with nothing that it said of the item.
        """
        before = await self._ask(self._node, _HEAD)
        newest = await self._ask(self._node, self._calls)
        number = int(before[0], 16)
        calls = tuple(_pinned(call, number) for call in self._calls)
        there = await self._ask(self._node, calls)
        kind = self._subject.kind
        has_moved = await self._ask(self._node, _HEAD) != before
        if has_moved or canonical(kind, newest) == canonical(kind, there):
            return None
        differs = difference(self._calls, newest, there)
        return f"{self._node} says otherwise of its newest block than of block {number}: {differs}"

    async def _ask_both(
        self, pair: tuple[str, str], calls: Sequence[Call]
    ) -> list[tuple[Any, ...]]:
        return list(await asyncio.gather(*(self._ask(label, calls) for label in pair)))

    async def _ask(self, label: str, calls: Sequence[Call]) -> _Values:
        if self._others is None:
            raise _Unheard("no other node is known")
        try:
            reply = await self._others.fetch_from(label, calls, timeout_s=_ASK_S)
        except RpcError as error:
            raise _Unheard(error.reason) from error
        for value in reply.values:
            if type(value) is Unreadable:
                raise _Unheard(f"malformed_answer: {value.detail}")
        return reply.values


def _pinned(call: Call, number: int) -> Call:
    params = tuple(hex(number) if param == _LATEST else param for param in call.params)
    return msgspec.structs.replace(call, params=params)


def _said(node: str, said: str) -> Difference:
    return Difference(node=node, said=said[:_SAID_CHARS])
