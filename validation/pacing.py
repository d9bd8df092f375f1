"""Has a loop turn while much is worked off on it: commands of operators, answers of nodes and
heartbeats wait for its next turn.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from validation.rpc import Call, Reply
from validation.validators import Fetcher

# A few times what a thread waits for Python's own lock.
TURN_S: Final = 0.02
# To wake all who wait costs as much as an item or two, where time is left for one.
_WOKEN: Final = 16


class Pace:
    """Of the tasks of one loop that share some work. Each takes a `step` before it does a piece of
    it: where a turn of the loop took long enough, they go on in the next, all of them.
    """

    def __init__(
        self, turn_s: float = TURN_S, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._turn_s = turn_s
        # Not the loop's own time: uvloop's stands still during a turn.
        self._clock = clock
        self._began = clock()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_due = False

    async def step(self) -> None:
        while self._is_over():
            loop = asyncio.get_running_loop()
            turn = loop.create_future()
            self._waiting.append(turn)
            if not self._is_due:
                self._is_due = True
                loop.call_soon(self._begin, loop)
            await turn

    def _is_over(self) -> bool:
        return self._clock() >= self._began + self._turn_s

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """Of the next turn: some go on, and if they leave time, others."""
        if self._is_over():
            self._began = self._clock()
        for _ in range(min(_WOKEN, len(self._waiting))):
            turn = self._waiting.popleft()
            if not turn.done():  # who was cancelled waits no more
                turn.set_result(None)
        self._is_due = bool(self._waiting)
        if self._is_due:
            loop.call_soon(self._begin, loop)

    def of(self, fetcher: Fetcher) -> Fetcher:
        """The same, but who was kept waiting for an answer takes a step before he reads it: answers
        to many come in one turn.
        """
        return _Paced(fetcher, self)

    async def fetched(
        self, fetcher: Fetcher, calls: Sequence[Call], timeout_s: float | None, *, fresh: bool
    ) -> Reply:
        asked = self._clock()
        reply = await fetcher.fetch(calls, timeout_s=timeout_s, fresh=fresh)
        if asked < self._began or self._clock() >= asked + self._turn_s:
            await self.step()
        return reply


class _Paced:
    __slots__ = ("_fetcher", "_pace")

    def __init__(self, fetcher: Fetcher, pace: Pace) -> None:
        self._fetcher = fetcher
        self._pace = pace

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        return await self._pace.fetched(self._fetcher, calls, timeout_s, fresh=fresh)
