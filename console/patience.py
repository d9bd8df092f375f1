"""How long a request may wait: one second over all queues that it stands in, not one in each."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

WAIT_S: Final = 1.0
# What was queued for long may still look whether a place is free.
_LEAST_S: Final = 0.05

_queued_s: ContextVar[float] = ContextVar("queued_s", default=0.0)


def has_queued(seconds: float) -> None:
    """To be told in the thread that takes a request up, of each: the thread serves many."""
    _queued_s.set(seconds)


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Within, no wait is longer: there is somebody else to ask."""
    token = _queued_s.set(max(_queued_s.get(), WAIT_S - seconds))
    try:
        yield
    finally:
        _queued_s.reset(token)


def left_s() -> float:
    """Of the request at hand; what is no request has the whole second."""
    return max(_LEAST_S, WAIT_S - _queued_s.get())
