"""Finds out in the background that a node which its breaker keeps out is back."""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from validation.resilience import State
from validation.rpc.batching import Lane
from validation.rpc.errors import RpcError
from validation.rpc.exchange import Exchange
from validation.rpc.forms import Load
from validation.rpc.queues import Queue
from validation.rpc.turns import ProbeTurns, Turn

_QUESTION = Load(1, 1, 1, 1)
_TIMEOUT_S = 2.0
_LONGEST_PAUSE_S = 60.0


class Recovery:
    """One task while any breaker is open, none otherwise. A probe is eth_chainId: an answer with
    the right chain makes the breaker half open at once, and calls then decide. An operator's
    forced-open breaker is not probed: nothing passes it.
    """

    def __init__(
        self,
        lanes: Callable[[], Sequence[Lane]],
        *,
        exchange: Exchange,
        turns: ProbeTurns,
        random: Random,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._lanes = lanes
        self._exchange = exchange
        self._turns = turns
        self._random = random
        self._loop = loop
        self._task: asyncio.Task[None] | None = None
        self._hints: dict[Queue, _Hint] = {}

    def watch(self) -> None:
        """A breaker may have opened."""
        if (self._task is None or self._task.done()) and any(map(_kept_out, self._lanes())):
            self._task = self._loop.create_task(self._run())

    def keep(self, lanes: Sequence[Lane]) -> None:
        """Forgets the nodes that are not among these."""
        queues = {queue for lane in lanes for queue in lane.queues}
        self._hints = {queue: hint for queue, hint in self._hints.items() if queue in queues}

    async def aclose(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            # Twice an interval, so that what one process found reaches all within it.
            await asyncio.sleep(self._turns.every_s / 2 * self._random.uniform(0.8, 1.2))
            lanes = [lane for lane in self._lanes() if _kept_out(lane)]
            if not lanes:
                return
            await asyncio.gather(*(self._try(lane) for lane in lanes))

    async def _try(self, lane: Lane) -> None:
        turn = await self._turns.take(lane.node.label)
        if turn is Turn.MINE and await self._answers(lane):
            await self._turns.tell_up(lane.node.label)
            turn = Turn.UP
        if turn is Turn.UP:
            for queue in _kept_out(lane):
                hint = self._hints.setdefault(queue, _Hint())
                if hint.may_give(self._loop.time()):
                    queue.breaker.hint_recovered()
                    queue.look_again()
            lane.flush_soon()

    async def _answers(self, lane: Lane) -> bool:
        limits = lane.limits
        if limits.requests >= limits.max_requests:
            return False  # what is out now will tell
        if lane.is_gone:
            return False
        limits.take(_QUESTION)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                await self._exchange.ask_chain(lane.node, gate=lambda: let_out(lane))
        except (RpcError, TimeoutError):
            return False
        finally:
            lane.release(_QUESTION)
        return True


class _Hint:
    """Hints that led to nothing come less often: a node may tell its chain and fail all else."""

    __slots__ = ("_at", "_pause_s")

    def __init__(self) -> None:
        self._at = float("-inf")
        self._pause_s = 1.0

    def may_give(self, now: float) -> bool:
        since = now - self._at
        if since < self._pause_s:
            return False
        was_in_vain = since < self._pause_s * 2 + _TIMEOUT_S
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S) if was_in_vain else 1.0
        self._at = now
        return True


def _kept_out(lane: Lane) -> list[Queue]:
    """The queues whose breakers are open by themselves; none where an operator holds one open."""
    states = [queue.breaker.state for queue in lane.queues]
    if State.FORCED_OPEN in states:
        return []
    return [queue for queue, state in zip(lane.queues, states, strict=True) if state is State.OPEN]


def let_out(lane: Lane) -> None:
    """A gate for questions that are nobody's work: shut where an operator holds a breaker open."""
    for queue in lane.queues:
        queue.check_open()
    lane.record.counters.requests += 1
