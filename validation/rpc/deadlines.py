"""The total deadlines of all fetches on one timer, which exists only while somebody waits."""

import asyncio
from collections.abc import Callable

from validation.rpc.groups import Waiter

_PER_S = 40
"""Deadlines are met to 25 ms, never early: waiters share a timer by that grain."""


class Deadlines:
    """Watches waiters; `expire` is called with each whose time is up."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, expire: Callable[[Waiter], None]
    ) -> None:
        self._loop = loop
        self._expire = expire
        self._buckets: dict[int, set[Waiter]] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0

    def __len__(self) -> int:
        return sum(len(bucket) for bucket in self._buckets.values())

    def watch(self, waiter: Waiter) -> None:
        due = int(waiter.deadline * _PER_S) + 1
        bucket = self._buckets.get(due)
        if bucket is None:
            bucket = self._buckets[due] = set()
        bucket.add(waiter)
        if self._timer is None or due < self._due:
            self._arm(due)

    def forget(self, waiter: Waiter) -> None:
        due = int(waiter.deadline * _PER_S) + 1
        bucket = self._buckets.get(due)
        if bucket is None:
            return
        bucket.discard(waiter)
        if not bucket:
            del self._buckets[due]
            if not self._buckets:
                self._disarm()

    def _arm(self, due: int) -> None:
        self._disarm()
        self._due = due
        self._timer = self._loop.call_at(due / _PER_S, self._ring)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        now = self._loop.time() * _PER_S + 0.1  # a timer may ring a fraction of a grain early
        for due in [due for due in self._buckets if due <= now]:
            for waiter in self._buckets.pop(due):
                self._expire(waiter)
        if self._buckets and self._timer is None:
            self._arm(min(self._buckets))
