"""What several items need is asked for once and remembered for a while, by the hash of a block."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from validation.rpc import Reply, RpcError
from validation.validators.heard import Heard

if TYPE_CHECKING:
    from validation.validators.asking import Ask

MOST_AGE_S: Final = 300.0
"""As long as a cache keeps what a block's hash commits to while the block is not final."""


class Made[T](NamedTuple):
    """What was found, and what it rests on. `size` 0: not to be remembered."""

    value: T
    heard: tuple[Heard, ...]
    size: int


class _Kept[T](NamedTuple):
    made: Made[T]
    at: float


class _Flight[T]:
    """One asking that some wait for; when the last of them leaves, it ends."""

    __slots__ = ("task", "waiting")

    def __init__(self, task: "asyncio.Task[Made[T]]") -> None:
        self.task = task
        self.waiting = 0


class Shared[T]:
    """By block hash: at most `most_bytes`, the least used forgotten first, none kept for longer
    than `MOST_AGE_S`. For one event loop.
    """

    def __init__(self, *, most_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most_bytes = most_bytes
        self._clock = clock
        self._epoch = 0
        self._kept: dict[str, _Kept[T]] = {}
        self._flights: dict[tuple[int, bool, str], _Flight[T]] = {}
        self.kept_bytes = 0

    async def of(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> T:
        """What `make` finds or found; `ask` rests on the same answers, as old as they are."""
        if not ask.fresh:
            kept = self._kept.get(block_hash)
            age_s = 0.0 if kept is None else self._clock() - kept.at
            if kept is not None and age_s <= MOST_AGE_S:
                self._kept[block_hash] = self._kept.pop(block_hash)  # the last to be forgotten
                ask.rest_on(_remembered(kept.made.heard, age_s))
                return kept.made.value
        made = await self._share(block_hash, ask, make)
        ask.rest_on(made.heard)
        return made.value

    def forget(self) -> None:
        """From now on all is asked anew, and nobody joins what is under way."""
        self._epoch += 1
        self._kept = {}
        self._flights = {}
        self.kept_bytes = 0

    async def _share(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> Made[T]:
        # Not with those who ask somebody else: an answer of theirs would accuse the wrong node.
        key = (id(ask.fetcher), ask.fresh, block_hash)
        flight = self._flights.get(key)
        if flight is None:
            task = asyncio.create_task(self._make(block_hash, ask, make))
            flight = self._flights[key] = _Flight(task)
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

    async def _make(
        self, block_hash: str, ask: "Ask", make: "Callable[[str, Ask], Awaitable[Made[T]]]"
    ) -> Made[T]:
        epoch = self._epoch
        made = await make(block_hash, ask)
        if made.size and epoch == self._epoch:
            self._keep(block_hash, made)
        return made

    def _keep(self, block_hash: str, made: Made[T]) -> None:
        before = self._kept.pop(block_hash, None)
        if before is not None:
            self.kept_bytes -= before.made.size
        if made.size > self._most_bytes:
            return
        self._kept[block_hash] = _Kept(made, self._clock())
        self.kept_bytes += made.size
        while self.kept_bytes > self._most_bytes:
            oldest = self._kept.pop(next(iter(self._kept)))
            self.kept_bytes -= oldest.made.size


def _remembered(heard: tuple[Heard, ...], age_s: float) -> list[Heard]:
    """The same answers, older by what has passed since they came."""
    return [Heard(one.calls, _older(one.reply, age_s)) for one in heard]


def _older(reply: Reply, age_s: float) -> Reply:
    source = "l1" if reply.source == "node" else reply.source
    return Reply(reply.values, reply.node, reply.raws, source, reply.age_s + age_s)
