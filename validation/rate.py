"""How fast a worker goes, of late."""

from collections.abc import Callable


class Rate:
    """Items a second over the last ten seconds."""

    _WINDOW_S = 10.0

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seen: list[tuple[float, int]] = []

    def add(self, count: int) -> None:
        now = self._clock()
        # A new list each time: the attendant reads while Celery's thread adds.
        self._seen = [e for e in self._seen if e[0] > now - self._WINDOW_S] + [(now, count)]

    def per_second(self) -> float:
        since = self._clock() - self._WINDOW_S
        return sum(count for at, count in self._seen if at > since) / self._WINDOW_S
