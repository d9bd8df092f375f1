"""Remembers that a server let a caller wait in vain, so that those who come next do not wait too.

A server that is down refuses at once and costs nobody time; one that is frozen, or behind a network
that drops all, takes each caller's whole timeout. After the first no one waits: once a second
somebody asks again, in a thread of its own, and the caller by whose turn it is goes on as soon as
that has an answer.
"""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import redis

HOLD_S: Final = 1.0
# What a caller gives the asking: a server that is up answers within it.
_PATIENCE_S: Final = 0.03


class Away(redis.ConnectionError):
    """Not asked: it did not answer just now."""


class Absence:
    """Any thread; one for all callers of a server. `ask` waits no longer than a caller would, and
    raises redis.TimeoutError where there is no answer.
    """

    def __init__(
        self, ask: Callable[[], object], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        # Nobody asks before; None: it answered last. Neither a flag that somebody asks nor a lock:
        # who holds it may be lost in a fork. Two who ask at once do no harm.
        self._until: float | None = None

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Around a call. Raises Away in its place while it would wait in vain."""
        if self._until is not None and not self._is_back():
            raise Away(f"It did not answer within the last {HOLD_S:g} s")
        try:
            yield
        except redis.TimeoutError:
            self._until = self._clock() + HOLD_S
            raise
        self._until = None

    def _is_back(self) -> bool:
        now = self._clock()
        if self._until is None or now < self._until:
            return self._until is None
        self._until = now + HOLD_S
        asking = threading.Thread(target=self._ask_again, name="valkey-back", daemon=True)
        asking.start()
        asking.join(_PATIENCE_S)
        return self._until is None

    def _ask_again(self) -> None:
        try:
            self._ask()
        except redis.TimeoutError:
            self._until = self._clock() + HOLD_S
        except redis.RedisError:
            self._until = None  # it refuses, which is an answer, and quick: callers see it
        else:
            self._until = None
