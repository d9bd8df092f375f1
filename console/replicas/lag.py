"""How far a replica is behind, in bytes and in time, from what both servers say of their WAL."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# Looks of ten minutes.
_MARKS: Final = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """None: not known."""

    seconds: float | None
    bytes: int | None


UNKNOWN: Final = Lag(seconds=None, bytes=None)


class Marks:
    """Where the primary stood at each look. A replica lacks what was written since the oldest mark
    that it has not replayed, and nothing of before the newest that it has: its lag lies between the
    ages of the two, whatever any server's clock says.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._marks: deque[tuple[float, int]] = deque(maxlen=_MARKS)
        # The primary's clock less ours.
        self._ahead_s = 0.0

    def stands_at(self, lsn: int, clock_s: float) -> None:
        """The primary, just now, by its own clock. One that went back is another server: what was
        is no measure.
        """
        if self._marks and lsn < self._marks[-1][1]:
            self._marks.clear()
        now = self._clock()
        self._ahead_s = clock_s - now
        self._marks.append((now, lsn))

    def lag_of(self, replayed: int, committed_s: float | None) -> Lag:
        """`committed_s`: when, by the primary's clock, what it replayed last was committed. Where
        nothing was written since, that says nothing; the marks do.
        """
        if not self._marks:
            return UNKNOWN
        missing = max(self._marks[-1][1] - replayed, 0)
        if missing == 0:
            return Lag(seconds=0.0, bytes=0)
        now = self._clock()
        least = next(now - at for at, lsn in self._marks if lsn > replayed)
        most = next((now - at for at, lsn in reversed(self._marks) if lsn <= replayed), None)
        told = least if committed_s is None else now + self._ahead_s - committed_s
        if most is None:
            # All that is remembered is news to it: it may be behind by more than that.
            return Lag(seconds=max(told, least) if committed_s is not None else None, bytes=missing)
        return Lag(seconds=min(max(told, least), most), bytes=missing)


def lsn_of(text: str) -> int:
    """Postgres writes the position in its WAL as two numbers: `0/16B3748`."""
    high, low = text.split("/")
    return (int(high, 16) << 32) + int(low, 16)
