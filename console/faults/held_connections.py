"""Lends connections of this web process's pool to nobody, while a fault asks for it.

On a development stack alone. What is asked stands in Valkey for a few seconds: who asked and died
is forgotten, and so is a Valkey that does not answer.
"""

import math
import threading
from collections.abc import Callable
from typing import Any, Final

import psycopg
import redis
import structlog
from django.conf import settings
from django.db import connections
from psycopg_pool import PoolTimeout, TooManyRequests

from console.postgres.lending import lender_of
from monitoring import valkey

KEY: Final = "switchyard:fault:pool-exhaustion"
LIFE_S: Final = 5
_LOOK_S: Final = 1.0
# From this share on it is an alarm.
_FELT: Final = 0.8
_SHUT: Final = (psycopg.Error, PoolTimeout, TooManyRequests)

log = structlog.get_logger(__name__)


class HeldConnections:
    """`asked`: whether to hold them now. For one thread."""

    def __init__(self, pool: Any, asked: Callable[[], bool]) -> None:
        self._pool = pool
        self._asked = asked
        self._held: list[psycopg.Connection[Any]] = []

    @property
    def held(self) -> int:
        return len(self._held)

    def tend(self) -> None:
        """Takes what is missing, as far as there is any; or gives all back."""
        if not self._asked():
            self.give_back()
            return
        lender = lender_of(self._pool.name)
        try:
            while len(self._held) < share_of(self._pool.max_size):
                self._held.append(lender.lend(self._pool))
        except _SHUT:
            return  # others were first; again in a second

    def give_back(self) -> None:
        while self._held:
            connection = self._held.pop()
            lender_of(self._pool.name).taken_back(connection)
            self._pool.putconn(connection)


def share_of(most: int) -> int:
    """All but one, so that pages can still be seen; all of a pool so small that this is unfelt."""
    return most - 1 if most > 1 and most - 1 >= math.ceil(_FELT * most) else most


def begin() -> Callable[[], None]:
    """In a web process; what ends it. Elsewhere than on a development stack it does nothing."""
    pool = getattr(connections["default"], "pool", None)
    if not settings.DEVELOPMENT or pool is None:
        return lambda: None
    stopping = threading.Event()
    held = HeldConnections(pool, _is_asked)

    def run() -> None:
        while not stopping.wait(_LOOK_S):
            before = held.held
            held.tend()
            if held.held != before:
                log.warning("fault.pool_exhaustion", held=held.held, of=pool.max_size)
        held.give_back()

    thread = threading.Thread(target=run, name="fault-pool", daemon=True)
    thread.start()

    def end() -> None:
        stopping.set()
        thread.join(timeout=2)

    return end


def _is_asked() -> bool:
    try:
        return bool(valkey.client().exists(KEY))
    except redis.RedisError:
        return False
