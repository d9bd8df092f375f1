"""What several items need is asked for once and remembered for a while, by the hash of a block."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from validation.rpc import Reply, RpcError
from validation.validators.heard import Fetcher, Heard

if TYPE_CHECKING:
    from validation.validators.asking import Ask

MOST_AGE_S: Final = 300.0
"""As long as a cache keeps what a block's hash commits to while the block is not final."""
FLAWED_S: Final = 1.0
"""As long as what shows a flaw is told again: thousands of items may rest on the same lie."""
_MOST_FLAWED: Final = 64


class Made[T](NamedTuple):
    """What was found, and what it rests on. `size` 0: not to be remembered. `is_flawed`: nothing
    can pass by it; it is told for a moment to those who ask the same node, fresh or not.
    """

    value: T
    heard: tuple[Heard, ...]
    size: int
    is_flawed: bool = False


class _Kept[T](NamedTuple):
    made: Made[T]
    at: float


class _Flawed[T](NamedTuple):
    fetcher: Fetcher
    """Held, so that no other takes its id meanwhile."""
    made: Made[T]
    at: float


class _Flight[T]:
    """One asking that some wait for; when the last of them leaves, it ends."""

    __slots__ = ("is_sent", "task", "waiting")

    def __init__(self) -> None:
        self.is_sent = False
        self.waiting = 0
        self.task: asyncio.Task[Made[T]]


class Shared[T]:
    """By block hash: at most `most_bytes`, the least used forgotten first, none kept for longer
    than `MOST_AGE_S`. For one event loop. `kind` as a cache names it; "": of none that one keeps.
    """

    def __init__(
        self,
        *,
        most_bytes: int,
        kind: str = "",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._kind = kind
        self.joins = True
        """Whether who asks the same at the same time waits for one answer; or each asks."""
        self._most_bytes = most_bytes
        self._clock = clock
        self._epoch = 0
        self._kept: dict[str, _Kept[T]] = {}
        self._flawed: dict[tuple[int, str], _Flawed[T]] = {}
        self._flights: dict[tuple[int, bool, str], _Flight[T]] = {}
        self.kept_bytes = 0

    async def of(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> T:
        """What `make` finds or found; `ask` rests on the same answers, as old as they are."""
        since_ms = ask.now_ms()
        made = self._remembered(block_hash, ask)
        if made is None:
            find = self._share if self.joins else self._alone
            made = await find(block_hash, ask, make)
        ask.rest_on(made.heard, since_ms=since_ms)
        return made.value

    def _remembered(self, block_hash: str, ask: "Ask") -> Made[T] | None:
        if not ask.fresh and self._is_kept_for(ask):
            kept = self._kept.get(block_hash)
            age_s = 0.0 if kept is None else self._clock() - kept.at
            if kept is not None and age_s <= MOST_AGE_S:
                self._kept[block_hash] = self._kept.pop(block_hash)  # the last to be forgotten
                return kept.made._replace(heard=_aged(kept.made.heard, age_s))
        return self._known_flaw(block_hash, ask)

    def _known_flaw(self, block_hash: str, ask: "Ask") -> Made[T] | None:
        """As the node said it a moment ago: what it shows is a fault whatever it says now."""
        flawed = self._flawed.get((id(ask.fetcher), block_hash)) if self._flawed else None
        if flawed is None or self._clock() - flawed.at > FLAWED_S:
            return None
        return flawed.made

    def _is_kept_for(self, ask: "Ask") -> bool:
        """Not for items whose answers of this kind no cache keeps either."""
        kinds: frozenset[str] | None = getattr(ask.fetcher, "kinds", None)
        return kinds is None or not self._kind or self._kind in kinds

    def shrink(self, share: float) -> None:
        """Keeps so much of the bytes, the last used; what is under way goes on."""
        most = int(self.kept_bytes * share)
        while self.kept_bytes > most:
            self._let_go()
        self._flawed = {}

    def forget(self) -> None:
        """From now on all is asked anew, and nobody joins what is under way."""
        self._epoch += 1
        self._kept = {}
        self._flawed = {}
        self._flights = {}
        self.kept_bytes = 0

    async def _share(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> Made[T]:
        # Not with those who ask somebody else: an answer of theirs would accuse the wrong node.
        key = (id(ask.fetcher), ask.fresh, block_hash)
        flight = before = self._flights.get(key)
        if flight is None or (ask.fresh and flight.is_sent):
            # What was sent before it was asked for is not fresh. One at a time, all the same: the
            # next is for all who come until then.
            flight = self._flights[key] = _Flight()
            work = self._make(block_hash, ask, make, flight, before)
            flight.task = asyncio.create_task(work)
        flight.waiting += 1
        try:
            return await asyncio.shield(flight.task)
        except RpcError as error:
            raise error.clone() from None
        finally:
            flight.waiting -= 1
            if not flight.waiting:
                flight.task.cancel()
                if self._flights.get(key) is flight:
                    del self._flights[key]

    async def _alone(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> Made[T]:
        return await self._make(block_hash, ask, make, _Flight(), None)

    async def _make(
        self,
        block_hash: str,
        ask: "Ask",
        make: "Callable[[str, Ask], Awaitable[Made[T]]]",
        flight: _Flight[T],
        before: _Flight[T] | None,
    ) -> Made[T]:
        if before is not None:
            await asyncio.wait((before.task,))
            error = None if before.task.cancelled() else before.task.exception()
            if isinstance(error, RpcError):
                raise error.clone()  # the node that it would ask once more
            flawed = self._known_flaw(block_hash, ask)
            if flawed is not None:
                return flawed
        flight.is_sent = True
        epoch = self._epoch
        made = await make(block_hash, ask)
        if made.size and epoch == self._epoch:
            if made.is_flawed:
                self._keep_flaw(block_hash, ask, made)
            elif self._is_kept_for(ask):
                self._keep(block_hash, made)
        return made

    def _keep_flaw(self, block_hash: str, ask: "Ask", made: Made[T]) -> None:
        """Only of what a node said just now: a cache's word accuses nobody."""
        if made.size > self._most_bytes or any(h.reply.source != "node" for h in made.heard):
            return
        now = self._clock()
        self._flawed = {k: one for k, one in self._flawed.items() if now - one.at <= FLAWED_S}
        room = self._most_bytes - sum(one.made.size for one in self._flawed.values())
        if made.size <= room and len(self._flawed) < _MOST_FLAWED:
            self._flawed[id(ask.fetcher), block_hash] = _Flawed(ask.fetcher, made, now)

    def _keep(self, block_hash: str, made: Made[T]) -> None:
        before = self._kept.pop(block_hash, None)
        if before is not None:
            self.kept_bytes -= before.made.size
        if made.size > self._most_bytes:
            return
        self._kept[block_hash] = _Kept(made, self._clock())
        self.kept_bytes += made.size
        while self.kept_bytes > self._most_bytes:
            self._let_go()

    def _let_go(self) -> None:
        """Of what was not used for longest."""
        oldest = self._kept.pop(next(iter(self._kept)))
        self.kept_bytes -= oldest.made.size


def _aged(heard: tuple[Heard, ...], age_s: float) -> tuple[Heard, ...]:
    """The same answers, older by what has passed since they came."""
    return tuple([Heard(one.calls, _older(one.reply, age_s)) for one in heard])


def _older(reply: Reply, age_s: float) -> Reply:
    source = "l1" if reply.source == "node" else reply.source
    return Reply(reply.values, reply.node, reply.raws, source, reply.age_s + age_s)
