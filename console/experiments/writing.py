"""What was measured is written, though Postgres restarts meanwhile."""

import time
from collections.abc import Callable
from typing import Final

import structlog
from django.db import InterfaceError, OperationalError, connection
from psycopg_pool import PoolTimeout, TooManyRequests

log = structlog.get_logger(__name__)

_PAUSE_S: Final = 1.0
_AWAY: Final = (OperationalError, InterfaceError, PoolTimeout, TooManyRequests)


def written[Told](
    write: Callable[[], Told], *, within_s: float, pause: Callable[[float], None] = time.sleep
) -> Told:
    """What `write` returns, which may be called again: what it writes twice it writes once. Raises
    what it raised last, where the database did not come back in time.
    """
    until = time.monotonic() + within_s
    while True:
        try:
            return write()
        except _AWAY as exc:
            # A transaction that somebody else began is lost with its connection.
            if connection.in_atomic_block or time.monotonic() >= until:
                raise
            log.warning("database.unreachable", error=type(exc).__name__)
        connection.close()
        pause(_PAUSE_S)
