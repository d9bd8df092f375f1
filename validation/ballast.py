"""Memory that a worker takes for nothing, while `manage.py fault memory-growth` asks for it.

On a development stack alone. The worker is told a limit of its own for as long, so that a machine
of any size is in no danger: a quarter of a gigabyte. What is asked stands in Valkey for a few
seconds: who asked and died is forgotten.
"""

import threading
from collections.abc import Callable
from typing import Final

import redis
import structlog

from monitoring import valkey
from validation.footprint import resident_bytes

KEY: Final = "switchyard:fault:memory-growth"
LIFE_S: Final = 5
# An alarm, and half of L1 goes; not so much that work is refused, or the process replaced.
SHARE: Final = 0.90
ROOM: Final = 256 << 20
_STEP: Final = 32 << 20
_LOOK_S: Final = 1.0

log = structlog.get_logger(__name__)


class Ballast:
    """`limit` is what the process may hold while it is asked to grow, 0 otherwise. To be tended
    from one thread; read from any.
    """

    def __init__(
        self,
        asked: Callable[[], bool],
        *,
        own_limit: int = 0,
        read: Callable[[], int | None] = resident_bytes,
    ) -> None:
        self._asked = asked
        self._own_limit = own_limit
        self._read = read
        self._held: list[bytearray] = []
        self.limit = 0

    @property
    def held_bytes(self) -> int:
        return sum(map(len, self._held))

    def tend(self) -> None:
        used = self._read()
        if used is None or not self._asked():
            self._held.clear()
            self.limit = 0
            return
        if not self.limit:
            self.limit = min(self._own_limit or used + ROOM, used + ROOM)
        wanted = int(self.limit * SHARE) - used
        # In steps, as something that grows does.
        if (more := min(wanted, _STEP, self.limit - self.held_bytes)) > 0:
            # Not zeros from the system, which are nowhere until they are written.
            self._held.append(bytearray(b"\xff") * more)


NONE: Final = Ballast(lambda: False)
_ballast = NONE


def limit() -> int:
    """Bytes that this process may hold, where it is asked to grow; else 0."""
    return _ballast.limit


def begin(worker: str, *, own_limit: int = 0) -> Callable[[], None]:
    """In a worker process of a development stack; what ends it."""
    global _ballast  # noqa: PLW0603 - a process is one worker
    ballast = _ballast = Ballast(lambda: _asks(worker), own_limit=own_limit)
    stopping = threading.Event()

    def run() -> None:
        while not stopping.wait(_LOOK_S):
            before = ballast.limit
            ballast.tend()
            if bool(ballast.limit) != bool(before):
                log.warning("fault.memory_growth", limit_bytes=ballast.limit)

    threading.Thread(target=run, name="fault-memory", daemon=True).start()
    return stopping.set


def _asks(worker: str) -> bool:
    try:
        return bool(valkey.client().get(KEY) == worker)
    except redis.RedisError:
        return False
