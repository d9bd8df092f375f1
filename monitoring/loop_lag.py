"""How late the event loop of this process is, and how much it has to do. Imports neither Django nor
Celery.

A timer that comes late tells how long the loop was at something else: all that it serves waited for
as long. Timers that wait in it are not counted: uvloop does not tell of them.
"""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from monitoring.pauses import Worst
from monitoring.samples import Sample

EVERY_S: Final = 0.25
# Walking all tasks costs a tenth of a millisecond each thousand.
_COUNT_EVERY: Final = 8


class LoopLag:
    """Of one loop, on which `begin` is called; `samples` on any thread."""

    def __init__(self, kind: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._labels = {"process": kind}
        self._clock = clock
        self._worst = Worst(clock)
        self._due = 0.0
        self._turns = 0
        self._tasks: int | None = None
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        self._next(asyncio.get_running_loop())

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def samples(self) -> tuple[Sample, ...]:
        if self._timer is None:
            return ()
        # A loop that hangs now has not been able to say so.
        late_s = max(self._worst.value, self._clock() - self._due)
        found = [Sample("switchyard_process_event_loop_lag_seconds", self._labels, late_s)]
        if self._tasks is not None:
            found.append(Sample("switchyard_process_pending_tasks", self._labels, self._tasks))
        return tuple(found)

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._due = self._clock() + EVERY_S
        self._timer = loop.call_later(EVERY_S, self._tick, loop)

    def _tick(self, loop: asyncio.AbstractEventLoop) -> None:
        self._worst.add(max(0.0, self._clock() - self._due))
        if self._turns % _COUNT_EVERY == 0:
            self._tasks = len(asyncio.all_tasks(loop))
        self._turns += 1
        self._next(loop)
