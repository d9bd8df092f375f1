"""What waits for one node, coalesced into batches: whatever was asked in the same tick of the loop
rides together, and while the node is busy a small batch waits a moment for company.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from validation.rpc.endpoints import NodeUrl
from validation.rpc.groups import Group
from validation.rpc.limits import NodeLimits

_BUSY_REQUESTS = 2
"""With fewer requests out than this a batch never waits: nothing else would gain by it."""
_SMALLER_FOR_S = 60.0


@dataclass(slots=True, eq=False)
class Batch:
    """Groups on their way to one node. A call that two groups share is in it once."""

    groups: list[Group] = field(default_factory=list)
    fragments: list[bytes] = field(default_factory=list)
    places: dict[bytes, int] = field(default_factory=dict)
    asks_chain: bool = False
    lane_index: int = 0
    task: asyncio.Task[None] | None = None

    @property
    def calls(self) -> int:
        return len(self.fragments) + self.asks_chain

    def add(self, group: Group) -> None:
        places = self.places
        for fragment in group.fragments:
            if fragment not in places:
                places[fragment] = len(self.fragments)
                self.fragments.append(fragment)
        self.groups.append(group)

    def is_wanted(self) -> bool:
        return any(group.waiters for group in self.groups)


class Lane:
    """The queue in front of one node; `launch` sends a batch, `release` tells that it is back."""

    def __init__(
        self,
        index: int,
        node: NodeUrl,
        limits: NodeLimits,
        *,
        batch_size: int,
        batch_wait_s: float,
        loop: asyncio.AbstractEventLoop,
        must_ask_chain: Callable[[NodeUrl], bool],
        launch: Callable[["Lane", Batch], None],
    ) -> None:
        self.index = index
        self.node = node
        self.limits = limits
        self._batch_size = batch_size
        self._batch_wait_s = batch_wait_s
        self._loop = loop
        self._must_ask_chain = must_ask_chain
        self._launch = launch
        self._smaller: int | None = None
        self._smaller_until = 0.0
        self._queue: deque[Group] = deque()
        self._flush_soon: asyncio.Handle | None = None
        self._company: asyncio.TimerHandle | None = None

    def add(self, group: Group) -> None:
        """Queues a group already admitted by `limits`."""
        group.lane = self
        self._queue.append(group)
        self.flush_soon()

    def abandon(self, group: Group) -> None:
        """Uncounts a queued group that nobody waits for; it is skipped when its turn comes."""
        group.lane = None
        self.limits.waiting -= len(group.fragments)
        self.flush_soon()

    def drain(self) -> list[Group]:
        """Takes back all that waits."""
        groups = [group for group in self._queue if group.lane is self]
        for group in groups:
            group.lane = None
            self.limits.waiting -= len(group.fragments)
        self._queue.clear()
        return groups

    def shrink(self, batch_size: int) -> None:
        """Keeps batches this small for a while: the node refused a larger one."""
        self._smaller = max(1, batch_size)
        self._smaller_until = self._loop.time() + _SMALLER_FOR_S

    def flush_soon(self) -> None:
        """Sends at the end of this tick, so that all who ask within it share a batch."""
        if self._flush_soon is None:
            self._flush_soon = self._loop.call_soon(self._flush)

    def release(self, calls: int) -> None:
        self.limits.release(calls)
        if self._queue:
            self.flush_soon()

    def close(self) -> list[Group]:
        """Stops sending; returns what still waits."""
        for handle in (self._flush_soon, self._company):
            if handle is not None:
                handle.cancel()
        return self.drain()

    def _flush(self) -> None:
        self._flush_soon = None
        while self._queue:
            if self._should_wait():
                return
            batch = self._take()
            if not batch.groups:
                return
            self.limits.send(batch.calls)
            self._launch(self, batch)

    def _should_wait(self) -> bool:
        """True while a small batch had better wait, with the timer that ends the wait running."""
        if (
            self._batch_wait_s <= 0
            or self.limits.requests < _BUSY_REQUESTS
            or self.limits.waiting >= self._size_limit()
        ):
            return False
        if self._company is None:
            self._company = self._loop.call_later(self._batch_wait_s, self._end_wait)
        return True

    def _end_wait(self) -> None:
        self._company = None
        wait, self._batch_wait_s = self._batch_wait_s, 0.0
        self._flush()
        self._batch_wait_s = wait

    def _size_limit(self) -> int:
        if self._smaller is None or self._loop.time() >= self._smaller_until:
            return self._batch_size
        return min(self._smaller, self._batch_size)

    def _take(self) -> Batch:
        """The next batch: as many groups, in order, as fit. A group larger than the limit goes
        alone, when nothing else is out: a fetch is never torn apart.
        """
        batch, queue = Batch(asks_chain=self._must_ask_chain(self.node)), self._queue
        room, limit = self.limits.room(), self._size_limit()
        if batch.asks_chain and room > 1:
            room -= 1
        while queue:
            group = queue[0]
            size = len(group.fragments)
            limit = min(limit, group.batch_limit or limit)
            fits = len(batch.fragments) + size <= min(limit, room)
            goes_alone = (
                not batch.groups and room > 0 and (size <= room or not self.limits.in_flight)
            )
            is_wanted = group.lane is self
            if is_wanted and not fits and not goes_alone:
                break
            queue.popleft()
            if is_wanted:
                self.limits.waiting -= size
                group.lane = None
                batch.add(group)
        if self._company is not None and not queue:
            self._company.cancel()
            self._company = None
        return batch
