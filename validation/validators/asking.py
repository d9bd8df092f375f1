"""One item's way to ask: whatever it rests on is remembered, as its evidence."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

from validation.rpc import Call, Reply
from validation.validators.grounds import Grounds


class Heard(NamedTuple):
    """A question and its reply."""

    calls: tuple[Call, ...]
    reply: Reply


class Fetcher(Protocol):
    """Answers a group of calls in one round trip, from one node."""

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        """`fresh`: asked of a node now, whatever a cache knows."""


class Ask:
    """Made anew for each time that an item is examined. `fresh`: nothing from memory."""

    __slots__ = ("explain", "fetcher", "fresh", "grounds", "heard")

    def __init__(
        self, fetcher: Fetcher, grounds: Grounds, *, fresh: bool = False, explain: bool = False
    ) -> None:
        self.fetcher = fetcher
        self.grounds = grounds
        self.fresh = fresh
        self.explain = explain
        self.heard: list[Heard] = []

    async def fetch(self, calls: Sequence[Call]) -> Reply:
        reply = await self.fetcher.fetch(calls, fresh=self.fresh)
        self.heard.append(Heard(tuple(calls), reply))
        return reply

    def rest_on(self, heard: Iterable[Heard]) -> None:
        """Evidence that items share was asked for by the first of them; all of them rest on it."""
        self.heard.extend(heard)

    @property
    def chain_id(self) -> int | None:
        return self.grounds.chain_id

    @property
    def source(self) -> str:
        """The tier that remembered a part of it; `node` where a node said all of it just now."""
        sources = {heard.reply.source for heard in self.heard}
        return next((tier for tier in ("l2", "l1") if tier in sources), "node")

    @property
    def age_s(self) -> float:
        """Of its oldest part."""
        return max((heard.reply.age_s for heard in self.heard), default=0.0)
