"""How fast this machine works while a test waits for others who need it as well."""

import threading
import time
from typing import Final, Self

# A machine that gives a busy process half of a processor may take twice as long; no excuse is
# taken for more.
MOST_EXCUSED: Final = 2.0
_WORK_S, _EVERY_S = 0.02, 0.1


class Pace:
    """How much slower this machine runs what is busy than it could, by work of a known size. A
    thread does it time and again while the block lasts: the caller may itself be held up.
    """

    def __init__(self) -> None:
        # Once at first: whoever asks at once is told something.
        self._wall_s, self._busy_s = self._sample()
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, name="pace")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    @property
    def excused(self) -> float:
        return min(max(1.0, self._wall_s / self._busy_s), MOST_EXCUSED)

    def _run(self) -> None:
        while not self._ends.wait(_EVERY_S):
            wall_s, busy_s = self._sample()
            self._wall_s += wall_s
            self._busy_s += busy_s

    @staticmethod
    def _sample() -> tuple[float, float]:
        wall, busy = time.perf_counter(), time.thread_time()
        while time.thread_time() - busy < _WORK_S:
            pass
        return time.perf_counter() - wall, time.thread_time() - busy
