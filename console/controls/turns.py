"""Turns to ask a node from this web process: so many at once in all, whoever asks whatever."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore

from django.db import connection

from console.controls.errors import Busy

AT_ONCE = 2
RETRY_AFTER_S = 5

# Each who asks holds a thread for seconds, a drill for most of a minute: pages need threads too.
TURNS = BoundedSemaphore(AT_ONCE)


@contextmanager
def turn() -> Iterator[None]:
    """Raises Busy where there is none. Nodes are waited for without a connection to the database,
    which others may need; whoever asks it meanwhile gets one again.
    """
    if not TURNS.acquire(blocking=False):
        raise Busy(
            f"This web process asks nodes {AT_ONCE} times already, for others: try again in "
            f"{RETRY_AFTER_S} s."
        )
    try:
        if not connection.in_atomic_block:
            connection.close()
        yield
    finally:
        TURNS.release()
