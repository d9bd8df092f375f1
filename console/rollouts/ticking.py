"""Has the controller take its turn each second, in a thread of beat and of each web process.

Not as a task of the workers: what a rollout does to them, or the work that they are busy with, must
not hold up the taking back. Whoever's turn it is, is the lock's matter; a few may ask.
"""

import random
import threading
from collections.abc import Callable
from typing import Final

import structlog
from django.conf import settings
from django.db import Error, InterfaceError, connections
from psycopg_pool import PoolTimeout, TooManyRequests

from console.rollouts import controller

log = structlog.get_logger(__name__)

EVERY_S: Final = 1.0
_AWAY: Final = (Error, InterfaceError, PoolTimeout, TooManyRequests)


def begin() -> Callable[[], None]:
    """In this process, web or beat; what ends it. Without COLLECT it is left to others."""
    if not settings.COLLECT:
        return _nothing
    ticker = Ticker()
    ticker.start()
    return ticker.stop


def _nothing() -> None:
    pass


class Ticker:
    def __init__(self, turn: Callable[[], object] = controller.turn) -> None:
        self._turn = turn
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="rollouts", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Waits a little for a turn that is under way."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def _run(self) -> None:
        # Those who start together do not ask together.
        wait_s = random.uniform(0, EVERY_S)  # noqa: S311 - no secret
        while not self._stopping.wait(wait_s):
            wait_s = EVERY_S
            try:
                self._turn()
            except _AWAY as exc:
                log.warning("rollouts.not_looked", error=type(exc).__name__)
            except Exception:
                # Nobody would take back what goes wrong.
                log.exception("rollouts.failed")
            finally:
                # To the pool in a web process: a second is long for others who wait.
                connections.close_all()
