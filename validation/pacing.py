"""Has a loop turn while much is worked off on it: commands of operators, answers of nodes and
heartbeats wait for its next turn.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

# As long as a thread waits for Python's own lock a few times; a turn itself costs a thousandth.
TURN_S: Final = 0.01


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
        self._ends = clock() + turn_s
        self._turned: asyncio.Event | None = None

    async def step(self) -> None:
        while self._clock() >= self._ends:
            if self._turned is None:
                self._turned = asyncio.Event()
                asyncio.get_running_loop().call_soon(self._begin, self._turned)
            await self._turned.wait()

    def _begin(self, turned: asyncio.Event) -> None:
        """Of the next turn."""
        self._turned = None
        self._ends = self._clock() + self._turn_s
        turned.set()
