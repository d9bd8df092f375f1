"""Groups on their way: to a lane, in a batch, back with answers, or again after a failure."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from random import Random

from validation.rpc.batching import Batch, Lane
from validation.rpc.config import RpcConfig
from validation.rpc.counters import Counters, NodeCounters
from validation.rpc.errors import (
    AnswerTooLarge,
    BatchRefused,
    ClientClosed,
    ClientFault,
    RpcError,
    Saturated,
)
from validation.rpc.exchange import Exchange
from validation.rpc.groups import Group
from validation.rpc.limits import NodeLimits
from validation.rpc.nodes import NodeOrder
from validation.rpc.retry import Backoff, RetryBudget, Verdict, judge
from validation.rpc.wire import Answer

_log = logging.getLogger(__name__)


class Dispatcher:
    """Lives in one event loop. `done` is called with each group that has its answers or its error,
    before its waiters are told.
    """

    def __init__(
        self,
        config: RpcConfig,
        *,
        exchange: Exchange,
        counters: Counters,
        clock: Callable[[], float],
        random: Random,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[Group], None],
    ) -> None:
        self._config = config
        self._exchange = exchange
        self._counters = counters
        self._loop = loop
        self._done = done
        self._order = NodeOrder(
            len(config.nodes),
            cool_down_s=config.cool_down_s,
            cool_down_max_s=config.cool_down_max_s,
            clock=clock,
        )
        self._backoff = Backoff(
            base_s=config.backoff_base_s, cap_s=config.backoff_cap_s, random=random
        )
        self._budget = RetryBudget(ratio=config.retry_ratio, burst=config.retry_burst)
        self._tasks: set[asyncio.Task[None]] = set()
        self._later: set[asyncio.TimerHandle] = set()
        self.node_counters = [NodeCounters() for _ in config.nodes]
        self.lanes = [
            Lane(
                index,
                node,
                NodeLimits(config),
                batch_size=config.batch_size,
                batch_wait_s=config.batch_wait_s,
                loop=loop,
                must_ask_chain=exchange.must_ask_chain,
                launch=self._launch,
            )
            for index, node in enumerate(config.nodes)
        ]

    def start(self, group: Group) -> None:
        """Queues a fresh group, or raises `Saturated`."""
        self._budget.earn(len(group.fragments))
        self._queue(group)

    def abandon(self, group: Group) -> None:
        """Nobody waits for the group any more: it need not be sent, nor its answer awaited."""
        if group.lane is not None:
            group.lane.abandon(group)
        elif group.batch is not None and not group.batch.is_wanted():
            task = group.batch.task
            if task is not None:
                task.cancel()

    def blame(self, group: Group, error: RpcError) -> None:
        """A waiter's time ran out while the node had the group."""
        if group.batch is not None:
            index = group.batch.lane_index
            self.node_counters[index].failures[error.reason] += 1
            self._order.failed(index, error)

    def cooling(self, index: int) -> float:
        return self._order.cooling(index)

    def resize(self, max_in_flight: int) -> None:
        """Sets how many calls may be with each node."""
        for lane in self.lanes:
            lane.limits.max_in_flight = max_in_flight
            lane.flush_soon()

    async def aclose(self) -> None:
        """Fails what waits, ends what is under way, and leaves no timer."""
        for handle in self._later:
            handle.cancel()
        for lane in self.lanes:
            for group in lane.close():
                self._fail(group, ClientClosed("the client was closed"))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _queue(self, group: Group) -> None:
        lane = self.lanes[self._order.pick(group.tried)]
        lane.limits.admit(len(group.fragments), node=lane.node.label)
        lane.add(group)

    def _requeue(self, groups: Iterable[Group]) -> None:
        for group in groups:
            if group.waiters:
                try:
                    self._queue(group)
                except Saturated as error:
                    self._fail(group, error)

    def _launch(self, lane: Lane, batch: Batch) -> None:
        batch.lane_index = lane.index
        sent_at = self._loop.time()
        for group in batch.groups:
            group.batch = batch
            group.sent_at = sent_at
        task = batch.task = self._loop.create_task(self._run(lane, batch))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, lane: Lane, batch: Batch) -> None:
        try:
            await self._carry(lane, batch)
        except asyncio.CancelledError:  # unwanted by all, or the client closes
            self._abort(batch, ClientClosed("the client was closed"))
            raise
        except Exception as exc:  # noqa: BLE001 - else those who wait for it would wait in vain
            _log.exception("a batch to %s ended with a defect of this client", lane.node.label)
            self._abort(batch, ClientFault(f"a defect of this client ({type(exc).__name__})"))
        finally:
            lane.release(batch.calls)

    async def _carry(self, lane: Lane, batch: Batch) -> None:
        counters = self.node_counters[lane.index]
        counters.batches += 1
        counters.calls += len(batch.fragments)
        try:
            answers = await self._exchange.send(
                lane.node, batch.fragments, counters, asks_chain=batch.asks_chain
            )
        except RpcError as error:
            self._batch_failed(lane, batch, error)
        else:
            self._settle(lane, batch, answers)

    def _abort(self, batch: Batch, error: RpcError) -> None:
        for group in batch.groups:
            if group.batch is batch:
                self._fail(group, error)

    def _settle(self, lane: Lane, batch: Batch, answers: Sequence[Answer]) -> None:
        self._order.succeeded(lane.index)
        failed: dict[tuple[str, bool], list[Group]] = {}
        places = batch.places
        for group in batch.groups:
            raws: list[bytes] = []
            for fragment in group.fragments:
                answer = answers[places[fragment]]
                if isinstance(answer, RpcError):
                    group.last_error = answer
                    failed.setdefault((answer.reason, answer.retryable), []).append(group)
                    break
                raws.append(answer)
            else:
                group.batch = None
                self._done(group)
                for waiter in group.waiters:
                    waiter.deliver(raws, lane.node)
                group.waiters = []
        for groups in failed.values():
            self._again(lane, groups)

    def _batch_failed(self, lane: Lane, batch: Batch, error: RpcError) -> None:
        self.node_counters[lane.index].failures[error.reason] += 1
        for group in batch.groups:
            group.last_error = error
        if isinstance(error, (BatchRefused, AnswerTooLarge)) and len(batch.groups) > 1:
            self._split(lane, batch, error)
            return
        self._order.failed(lane.index, error)
        self._again(lane, batch.groups)
        if self._order.cooling(lane.index) and self._order.has_other({lane.index}):
            self._requeue(lane.drain())

    def _split(self, lane: Lane, batch: Batch, error: RpcError) -> None:
        """Asks the same node in halves, at no cost in attempts: less at once may be enough."""
        half = max(1, len(batch.fragments) // 2)
        if isinstance(error, BatchRefused):
            lane.shrink(half)
        for group in batch.groups:
            group.batch = None
            group.batch_limit = half
        self._requeue(batch.groups)

    def _again(self, lane: Lane, groups: Sequence[Group]) -> None:
        """Each group is asked elsewhere, later or not at all."""
        elsewhere: list[Group] = []
        later: list[Group] = []
        for group in groups:
            group.batch = None
            group.attempts += 1
            group.tried |= {lane.index}
            error = group.last_error
            if error is None or not group.waiters:
                continue
            verdict = judge(
                error,
                attempts=group.attempts,
                max_attempts=self._config.max_attempts,
                has_other_node=self._order.has_other(group.tried),
            )
            if verdict is Verdict.ELSEWHERE:
                elsewhere.append(group)
            elif verdict is Verdict.LATER:
                later.append(group)
            else:
                self._fail(group, error)
        self._count_retries(elsewhere)
        self._requeue(elsewhere)
        if later:
            self._retry_later(later)

    def _retry_later(self, groups: Sequence[Group]) -> None:
        """One timer for all of them; those whose time or budget does not allow it fail now, with
        the error that they met.
        """
        sample = groups[0]
        error = sample.last_error
        delay = self._backoff.delay_s(sample.attempts, error.retry_after_s if error else None)
        due = self._loop.time() + delay
        again: list[Group] = []
        for group in groups:
            if due < group.deadline and self._budget.spend(len(group.fragments)):
                again.append(group)
            elif group.last_error is not None:
                self._fail(group, group.last_error)
        if again:
            self._count_retries(again)
            self._wake_later(delay, again)

    def _wake_later(self, delay: float, groups: list[Group]) -> None:
        def wake() -> None:
            self._later.discard(handle)
            self._requeue(groups)

        handle = self._loop.call_later(delay, wake)
        self._later.add(handle)

    def _count_retries(self, groups: Iterable[Group]) -> None:
        for group in groups:
            if group.last_error is not None:
                self._counters.retries[group.last_error.reason] += len(group.fragments)

    def _fail(self, group: Group, error: RpcError) -> None:
        self._done(group)
        group.batch = None
        group.fail(error)
        group.waiters = []
