"""How long Python's garbage collection stops this process. Imports neither Django nor Celery."""

import gc
import time
from collections.abc import Callable
from typing import Final

_WINDOW_S: Final = 10.0


class Worst:
    """The largest of the last ten to twenty seconds. One thread adds; any may read, and changes
    nothing by it, so that there is nothing to lock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Since when, the largest since then, and of the ten seconds before. Replaced as one.
        self._noted = (clock(), 0.0, 0.0)

    def add(self, value: float) -> None:
        since, now, before = self._turned()
        self._noted = (since, max(now, value), before)

    @property
    def value(self) -> float:
        """Falls back to nothing where nobody adds."""
        _, now, before = self._turned()
        return max(now, before)

    def _turned(self) -> tuple[float, float, float]:
        """What was noted, as it stands now."""
        since, now, before = self._noted
        elapsed = self._clock() - since
        if elapsed < _WINDOW_S:
            return since, now, before
        begun = since + elapsed // _WINDOW_S * _WINDOW_S
        return begun, 0.0, now if elapsed < 2 * _WINDOW_S else 0.0


class GcPauses:
    """Counts and times collections from `begin` on. It takes no lock and allocates next to nothing:
    a collection may come in the middle of anything, the locks of the counters included.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._began: float | None = None
        self.worst = Worst()
        self.collections = 0
        self.seconds = 0.0

    def begin(self) -> None:
        if self._note not in gc.callbacks:
            gc.callbacks.append(self._note)

    def end(self) -> None:
        if self._note in gc.callbacks:
            gc.callbacks.remove(self._note)

    def _note(self, phase: str, _info: dict[str, int]) -> None:
        if phase == "start":
            self._began = self._clock()
        elif self._began is not None:
            took_s = self._clock() - self._began
            self._began = None
            self.collections += 1
            self.seconds += took_s
            self.worst.add(took_s)
