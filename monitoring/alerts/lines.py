"""The way to one destination: one thread at a time, left behind once it takes too long.

A slow destination holds up nobody but itself. Nothing can end a thread that hangs in a socket: past
its deadline it is left to itself, and while two of a destination hang no third is begun.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from monitoring.alerts.destinations import Destination
from monitoring.alerts.sending import Send

DEADLINE_S: Final = 30.0
_HANGING: Final = 2

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """What one destination is to be told. `delivery` and `attempt`: whose outcome it is."""

    title: str
    body: str
    severity: str
    what: str
    delivery: int = 0
    attempt: int = 0


# Told of each letter what became of it: "" is delivered. In the line's own thread.
type Record = Callable[[Letter, str], None]


class Line:
    def __init__(
        self,
        destination: Destination,
        send: Send,
        *,
        deadline_s: float = DEADLINE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.destination = destination
        self.deadline_s = deadline_s
        self._send = send
        self._clock = clock
        self._errand: _Errand | None = None
        self._hanging: list[_Errand] = []

    def is_free(self) -> bool:
        """Whether letters can be begun now."""
        if self._errand is not None and self._errand.thread.is_alive():
            return False
        self._hanging = [errand for errand in self._hanging if errand.thread.is_alive()]
        return len(self._hanging) < _HANGING

    def begin(self, letters: Sequence[Letter], record: Record) -> None:
        """Caller has seen that it is free."""
        self._errand = _Errand(self._send, self.destination, letters, record, self._clock)
        self._errand.thread.start()

    def overdue(self) -> tuple[Letter, ...]:
        """What hangs, and what waits behind it, once: it is left behind with this."""
        errand = self._errand
        if errand is None or not errand.thread.is_alive() or errand.age_s() < self.deadline_s:
            return ()
        self._errand = None
        self._hanging.append(errand)
        return errand.leave()

    def join(self, timeout_s: float) -> None:
        if self._errand is not None:
            self._errand.thread.join(timeout_s)


class _Errand:
    """Letters of one turn on their way, one after the other."""

    def __init__(
        self,
        send: Send,
        destination: Destination,
        letters: Sequence[Letter],
        record: Record,
        clock: Callable[[], float],
    ) -> None:
        self._send, self._destination, self._record = send, destination, record
        self._clock = clock
        self._lock = threading.Lock()
        self._left = list(letters)
        self._begun_at = clock()
        name = f"notify {destination.name}"
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)

    def age_s(self) -> float:
        """For how long the letter at hand has been on its way."""
        with self._lock:
            return self._clock() - self._begun_at

    def leave(self) -> tuple[Letter, ...]:
        """What has no outcome yet; what was not begun is not begun any more."""
        with self._lock:
            left, self._left = self._left, self._left[:1]
            return tuple(left)

    def _run(self) -> None:
        while letter := self._next():
            try:
                error = self._send(
                    self._destination,
                    letter.title,
                    letter.body,
                    severity=letter.severity,
                    what=letter.what,
                )
            except Exception as exc:  # noqa: BLE001 - a hundred plugins, and each must end in a word
                log.warning(
                    "notify.failed", destination=self._destination.name, error=repr(type(exc))
                )
                error = f"Apprise failed with {type(exc).__name__}."
            self._record(letter, error)
            with self._lock:
                del self._left[:1]

    def _next(self) -> Letter | None:
        with self._lock:
            self._begun_at = self._clock()
            return self._left[0] if self._left else None
