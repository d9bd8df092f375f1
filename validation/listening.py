"""Hears at once that operators changed something: a thread beside a worker that only wakes it."""

import threading
from collections.abc import Callable
from typing import Final

import redis
import structlog

from monitoring import events

log = structlog.get_logger(__name__)

_TOPIC: Final = "controls"
_RETRY_S: Final = 0.5


class Listener:
    """Calls `heard`, from its own thread, at each change, and once whenever it hears again: what
    was said meanwhile is lost, and read at the worker's next turn anyway.
    """

    def __init__(self, heard: Callable[[], None]) -> None:
        self._heard = heard
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="listener", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Does not wait for it: it ends within its second, or with the process."""
        self._stopping.set()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except redis.RedisError:
                pass  # the worker looks by itself, a little later
            except Exception:
                log.exception("listen.failed")
            self._stopping.wait(_RETRY_S)

    def _follow(self) -> None:
        is_first = True
        for topics in events.follow(self._stopping.is_set):
            if is_first or _TOPIC in topics:
                self._heard()
            is_first = False
