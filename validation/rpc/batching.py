"""What waits for one node, coalesced into batches: whatever was asked in the same tick of the loop
rides together, and while the node is busy a small batch waits a moment for company.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING

from validation.resilience import Permit
from validation.resilience.states import Probe
from validation.rpc.classes import MethodClass
from validation.rpc.config import RpcConfig
from validation.rpc.endpoints import NodeUrl
from validation.rpc.forms import Load
from validation.rpc.groups import Group
from validation.rpc.limits import NodeLimits
from validation.rpc.queues import Batch, Queue, oldest

if TYPE_CHECKING:
    from validation.rpc.record import NodeRecord

_BUSY_REQUESTS = 2
"""With fewer requests out than this a batch never waits: nothing else would gain by it."""
_SMALLER_FOR_S = 60.0
_MOST_PASSED = 200

type Launch = Callable[["Lane", Queue, Batch, Permit, Load], None]


class Lane:
    """The way to one node: a queue a class of methods, sharing the node's limits.

    `launch` sends a batch, `stuck` is told when a queue may not send, `release` that one is back.
    `index` is no other lane's ever; `rank` is the node's place in the order of preference.
    """

    def __init__(
        self,
        index: int,
        node: NodeUrl,
        limits: NodeLimits,
        queues: tuple[Queue, ...],
        *,
        config: RpcConfig,
        record: "NodeRecord",
        loop: asyncio.AbstractEventLoop,
        must_ask_chain: Callable[[NodeUrl], bool],
        resting: Callable[[str], float],
        launch: Launch,
        stuck: Callable[[], None],
    ) -> None:
        self.index = self.rank = index
        self.node = node
        self.in_service = True
        self.is_gone = False
        self.limits = limits
        self.queues = queues
        self.record = record
        self.is_resting = False
        """It asked to be left alone when that was last looked at."""
        self._by_kind = {queue.kind: queue for queue in queues}
        self._batch_size = config.batch_size
        self._batch_wait_s = config.batch_wait_s
        self._loop = loop
        self._must_ask_chain = must_ask_chain
        self._resting = resting
        self._launch = launch
        self._stuck = stuck
        self._smaller: int | None = None
        self._smaller_until = 0.0
        self._flush_soon: asyncio.Handle | None = None
        self._company: asyncio.TimerHandle | None = None
        self._freed: Callable[[], None] | None = None

    def queue(self, kind: MethodClass) -> Queue:
        return self._by_kind[kind]

    def rests_s(self) -> float:
        """Seconds until the node may be asked again, as it asked for itself."""
        return self._resting(self.node.label)

    def may_send(self, kind: MethodClass) -> bool:
        queue = self._by_kind[kind]
        return (not queue.is_blocked or queue.admits()) and not self._resting(self.node.label)

    def add(self, group: Group) -> None:
        """Queues a group already admitted by `limits`."""
        group.lane = self
        group.queued_at = self._loop.time()
        self._by_kind[group.kind].groups.append(group)
        self.flush_soon()

    def abandon(self, group: Group) -> None:
        """Uncounts a queued group that nobody waits for; it is skipped when its turn comes."""
        self._uncount(group)
        self.flush_soon()

    def drain(self, queue: Queue) -> list[Group]:
        """Takes back all that waits in one queue."""
        groups = [group for group in queue.groups if group.lane is self]
        for group in groups:
            self._uncount(group)
        queue.groups.clear()
        queue.kept_by = ""
        return groups

    def drain_bound(self, queue: Queue) -> list[Group]:
        """Takes back what waits in one queue and may be asked of no other node."""
        groups = [group for group in queue.groups if group.lane is self and group.only is self]
        for group in groups:
            self._uncount(group)
        return groups

    def shrink(self, batch_size: int) -> None:
        """Keeps batches this small for a while: the node refused a larger one."""
        self._smaller = max(1, batch_size)
        self._smaller_until = self._loop.time() + _SMALLER_FOR_S

    def flush_soon(self) -> None:
        """Sends at the end of this tick, so that all who ask within it share a batch."""
        if self._flush_soon is None:
            self._flush_soon = self._loop.call_soon(self._flush)

    def release(self, load: Load) -> None:
        self.limits.free(load)
        if self.has_waiting():
            self.flush_soon()
        elif self._freed is not None and not self.limits.requests:
            freed, self._freed = self._freed, None
            freed()

    def has_waiting(self) -> bool:
        for queue in self.queues:  # noqa: SIM110 - twice a batch, where any() costs thrice as much
            if queue.groups:
                return True
        return False

    def has_room(self, batch: Batch) -> bool:
        """Would the whole batch fit now, with the question for the chain?"""
        calls, lease = len(batch.fragments), self.limits.lease
        return calls < self.limits.room() and (lease is None or calls < lease.room())

    def tell_stuck(self) -> None:
        """A breaker has opened: what waits for it may go elsewhere, and its end be looked for."""
        self._stuck()

    def close(self) -> list[Group]:
        """Stops sending; returns what still waits."""
        for handle in (self._flush_soon, self._company):
            if handle is not None:
                handle.cancel()
        return [group for queue in self.queues for group in self.drain(queue)]

    def leave(self) -> list[Group]:
        """Takes back all that waits: the node is in service no longer."""
        self.in_service = False
        return [group for queue in self.queues for group in self.drain(queue)]

    def retire(self, freed: Callable[[], None]) -> None:
        """`freed` is called when nothing is with the node any more; nothing else is sent."""
        self.is_gone = True
        if self.limits.requests:
            self._freed = freed
        else:
            freed()

    def _uncount(self, group: Group) -> None:
        group.lane = None
        self.limits.waiting -= len(group.fragments)

    def _flush(self) -> None:
        self._flush_soon = None
        self.is_resting = self.rests_s() > 0
        if self.is_resting:
            if self.has_waiting():
                self._keep_back("rate")
                self._stuck()
            return
        while (queue := oldest(self.queues)) is not None:
            if self._should_wait(queue):
                return
            permit = queue.admit()
            if permit is None:
                queue.keep_back("breaker")
                continue
            batch = self._take(queue, is_probe=isinstance(permit, Probe))
            if not batch.groups:
                permit.cancel()
                if queue.groups:
                    # No room for the first of them: its turn comes when something is back.
                    self._keep_back(self._hindrance())
                    return
                continue
            load = self.limits.load_of(
                batch.form, len(batch.fragments), asks_chain=batch.asks_chain
            )
            self.limits.take(load)
            self._launch(self, queue, batch, permit, load)
        if self.has_waiting():
            self._keep_back("breaker")
            self._stuck()

    def _keep_back(self, by: str) -> None:
        for queue in self.queues:
            if queue.groups:
                queue.keep_back("breaker" if queue.is_blocked else by)

    def _hindrance(self) -> str:
        """What leaves no room."""
        limits = self.limits
        if limits.requests >= limits.max_requests:
            return "pool"
        return "limiter" if limits.room() <= 0 or limits.lease is None else "rate"

    def _should_wait(self, queue: Queue) -> bool:
        """True while a small batch had better wait, with the timer that ends the wait running."""
        if (
            self._batch_wait_s <= 0
            or self.limits.requests < _BUSY_REQUESTS
            or queue.groups[0].form.is_alone
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

    def _take(self, queue: Queue, *, is_probe: bool) -> Batch:
        """The next batch: as many groups, in order, as fit; a probe risks no more than one. A
        group larger than the limit goes alone, when nothing else is out: a fetch is never torn
        apart. One that is to go alone is passed by those behind it that ride along.
        """
        batch, groups = Batch(asks_chain=self._must_ask_chain(self.node)), queue.groups
        batch.kept_by, batch.kept_since = queue.kept_by, queue.kept_since
        room, limit = self._room(batch), self._size_limit()
        is_last, passed = is_probe, list[Group]()
        while groups and not (is_last and batch.groups):
            group = groups[0]
            size = len(group.fragments)
            if group.form.is_alone:
                if batch.groups:
                    if len(passed) == _MOST_PASSED:
                        break
                    passed.append(groups.popleft())
                    continue
                is_last, size = True, group.form.least(size)
            limit = min(limit, group.batch_limit or limit)
            fits = len(batch.fragments) + size <= min(limit, room)
            goes_alone = (
                not batch.groups and room > 0 and (size <= room or not self.limits.in_flight)
            )
            is_wanted = group.lane is self
            if is_wanted and not fits and not goes_alone:
                break
            groups.popleft()
            if is_wanted:
                self._uncount(group)
                batch.add(group)
        groups.extendleft(reversed(passed))
        if not groups:
            queue.kept_by = ""
        if self._company is not None and not self.has_waiting():
            self._company.cancel()
            self._company = None
        return batch

    def _room(self, batch: Batch) -> int:
        """Calls that the batch may hold, by the node's limits and by the fleet's rate."""
        room, lease = self.limits.room(), self.limits.lease
        if batch.asks_chain and room > 1:
            room -= 1
        if lease is None or room <= 0:
            return room
        allowed = lease.room()
        if not allowed:
            lease.await_renewal(self.flush_soon)
        return min(room, allowed)
