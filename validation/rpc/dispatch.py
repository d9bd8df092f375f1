"""Groups on their way: to a lane, in a batch, back with answers, or again after a failure."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from validation.resilience import Permit, RetryBudget
from validation.resilience.states import Probe
from validation.rpc.batching import Lane
from validation.rpc.counters import Counters
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import (
    AnswerTooLarge,
    BatchRefused,
    BreakerOpen,
    ClientClosed,
    ClientFault,
    NoNode,
    RateLimited,
    RpcError,
    Saturated,
)
from validation.rpc.exchange import Exchange
from validation.rpc.flights import Flight
from validation.rpc.forms import Load
from validation.rpc.groups import Group
from validation.rpc.hedging import Landed, race
from validation.rpc.lanes import Lanes, Parts
from validation.rpc.metrics import METRICS
from validation.rpc.nodes import NodeOrder
from validation.rpc.queues import Batch, Queue
from validation.rpc.recovery import Recovery
from validation.rpc.request_log import REQUEST_LOGS
from validation.rpc.retry import Retries
from validation.rpc.retry_policies import RETRIES, RetryPolicy
from validation.rpc.watching import NodeWatch
from validation.rpc.wire import Answer

_log = logging.getLogger(__name__)

_LOOK_EVERY_S = 0.05
_HEDGED = "hedged"


class Dispatcher:
    """Lives in one event loop. `done` is called with each group that has its answers or its error,
    before its waiters are told.
    """

    def __init__(
        self,
        parts: Parts,
        *,
        exchange: Exchange,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
        done: Callable[[Group], None],
    ) -> None:
        config = self._config = parts.config
        self._rates = parts.rates
        self._exchange = exchange
        self._counters = counters
        self._loop = loop
        self._done = done
        self._budget = RetryBudget(ratio=config.retry_ratio, burst=config.retry_burst)
        self._tasks: set[asyncio.Task[None]] = set()
        self._look: asyncio.Handle | None = None
        self._is_closed = False
        self.hedge_quantile = config.hedge_quantile
        self.request_log = REQUEST_LOGS[config.request_log]()
        self.ways = Lanes(parts, exchange, loop=loop, launch=self._launch, stuck=self._look_soon)
        self._order = NodeOrder(
            self.lanes, clock=parts.clock, hedge_quantile=lambda: self.hedge_quantile
        )
        self._random = parts.random
        self._retries = Retries(
            self._policy(config.retry),
            order=self._order,
            counters=counters,
            loop=loop,
            requeue=self._requeue,
            fail=self._fail,
        )
        self._recovery = Recovery(
            lambda: self.lanes,
            exchange=exchange,
            turns=parts.turns,
            random=parts.random,
            loop=loop,
        )
        self.watch = NodeWatch(
            lambda: self.ways.known, exchange=exchange, random=parts.random, loop=loop
        )

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """Of the nodes in service, in order of preference. Any thread may ask."""
        return self.ways.serving

    def labels(self) -> tuple[str, ...]:
        """As `lanes`, best first."""
        return tuple(lane.node.label for lane in self._order.best_first)

    def set_nodes(self, nodes: Sequence[NodeUrl], watched: Sequence[NodeUrl]) -> list[Lane]:
        """The lanes that are new. What waited for a node that is no longer in service is asked of
        another; what is with it comes back by itself.
        """
        waiting, made = self.ways.set(nodes, watched)
        self._order.set_lanes(self.lanes)
        self._recovery.keep(self.ways.known)
        self._requeue(waiting)
        return made

    def set_retry(self, name: str) -> None:
        """For what fails from now on."""
        self._retries.policy = self._policy(name)

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
            if group.node is not None:
                group.node.record.counters.failures[error.reason] += 1
            group.batch.blame = error

    def hindrance(self, group: Group) -> RpcError | None:
        """What a group that waits is kept back by: breakers, or a rest that the node asked for.
        None: only by its turn.
        """
        lane = group.lane
        if lane is None:
            return None
        queue, rest_s = lane.queue(group.kind), lane.rests_s()
        if not queue.admits():
            return queue.refusal(group)
        if not rest_s:
            return None
        error = RateLimited(
            f"the node asked to be left alone, for {rest_s:.0f} s more",
            node=lane.node.label,
            retry_after_s=rest_s,
        )
        error.__cause__ = group.last_error
        return error

    async def aclose(self) -> None:
        """Fails what waits, ends what is under way, and leaves no timer."""
        self._is_closed = True
        if self._look is not None:
            self._look.cancel()
        self._retries.close()
        await self.watch.aclose()
        await self._recovery.aclose()
        for lane in self.ways.known:
            for group in lane.close():
                self._fail(group, ClientClosed("the client was closed"))
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _policy(self, name: str) -> RetryPolicy:
        return RETRIES[name](self._config, self._budget, self._random)

    def _queue(self, group: Group) -> None:
        if group.only is None:
            lane = self._order.pick(group.kind, group.tried)
        else:
            lane = self._bound(group, group.only)
        lane.limits.admit(len(group.fragments), node=lane.node.label)
        lane.add(group)

    def _bound(self, group: Group, lane: Lane) -> Lane:
        """Of a group that is to be asked of one node: it does not wait for that node's breaker."""
        if not lane.in_service:
            raise NoNode("is not in service", node=lane.node.label)
        queue = lane.queue(group.kind)
        if not queue.admits():
            raise queue.refusal(group)
        return lane

    def _requeue(self, groups: Iterable[Group]) -> None:
        for group in groups:
            if group.waiters:
                try:
                    self._queue(group)
                except (Saturated, NoNode, BreakerOpen) as error:
                    self._fail(group, error)

    def _look_soon(self) -> None:
        """Something waits in a lane that may not send: now, and then again and again, that is
        looked at. No breaker and no rest has to tell when it ends.
        """
        if self._look is None and not self._is_closed:
            self._look = self._loop.call_soon(self._look_around)

    def _look_around(self) -> None:
        self._look = None
        is_stuck = False
        for lane in self.lanes:
            for queue in lane.queues:
                queue.forget_abandoned()
                if not queue.groups:
                    continue
                if lane.may_send(queue.kind):
                    lane.flush_soon()
                    continue
                if queue.is_blocked:
                    self._requeue(lane.drain_bound(queue))
                if self._order.other(queue.kind, ()) is not None:
                    self._requeue(lane.drain(queue))
                is_stuck = is_stuck or bool(queue.groups)
        if is_stuck:
            self._look = self._loop.call_later(_LOOK_EVERY_S, self._look_around)
        self._recovery.watch()

    def _launch(self, lane: Lane, queue: Queue, batch: Batch, permit: Permit, load: Load) -> None:
        flight = Flight(
            lane,
            queue,
            batch,
            permit,
            load=load,
            asks_chain=batch.asks_chain,
            exchange=self._exchange,
            log=self.request_log,
            loop=self._loop,
        )
        sent_at = batch.posted_at = self._loop.time()
        for group in batch.groups:
            group.batch = batch
            group.node = lane
            group.sent_at = sent_at
        # Groups go in the order they came: that in the middle waited for the median.
        waited_s = sent_at - batch.groups[len(batch.groups) // 2].queued_at
        lane.record.waits.add(waited_s, len(batch.groups))
        calls = len(batch.fragments)
        METRICS.sent(lane.node.label, calls, waited_s, requests=calls // load.size)
        task = batch.task = self._loop.create_task(self._run(batch, flight))
        self._tasks.add(task)
        task.add_done_callback(partial(self._ended, batch, flight))

    def _ended(self, batch: Batch, flight: Flight, task: asyncio.Task[None]) -> None:
        """Here and not in the task, which may have been cancelled before its first step."""
        self._tasks.discard(task)
        flight.end()
        if task.cancelled():  # unwanted by all, or the client closes
            self._abort(batch, ClientClosed("the client was closed"))

    async def _run(self, batch: Batch, flight: Flight) -> None:
        try:
            await self._carry(batch, flight)
        except Exception as exc:  # noqa: BLE001 - else those who wait for it would wait in vain
            label = flight.lane.node.label
            _log.exception("a batch to %s ended with a defect of this client", label)
            self._abort(batch, ClientFault(f"a defect of this client ({type(exc).__name__})"))

    async def _carry(self, batch: Batch, flight: Flight) -> None:
        try:
            landed, answers = await self._fly(flight)
        except BreakerOpen:  # forced open before it went out: as if it had never been sent
            for group in batch.groups:
                group.batch = None
            self._requeue(batch.groups)
        except RpcError as error:
            self._batch_failed(flight, error)
        else:
            self._order.look()
            self._settle(landed, batch, answers)

    async def _fly(self, flight: Flight) -> Landed:
        delay_s = flight.lane.record.hedge_after_s
        if delay_s is None or any(group.only is not None for group in flight.batch.groups):
            return flight, await flight.carry()
        landed, answers = await race(
            flight, delay_s=delay_s * flight.load.rounds, second_of=lambda: self._second(flight)
        )
        self._counters.hedges_won += landed is not flight
        return landed, answers

    def _second(self, first: Flight) -> Flight | None:
        """The same batch on its way to another node, where one has room and the budget allows."""
        batch, kind = first.batch, first.queue.kind
        lane = self._order.other(kind, {first.lane.index})
        if lane is None or not lane.has_room(batch):
            return None
        queue = lane.queue(kind)
        permit = queue.admit()
        if permit is None:
            return None
        calls = len(batch.fragments)
        if isinstance(permit, Probe) or not self._budget.spend(calls):
            permit.cancel()
            return None
        asks_chain = self._exchange.must_ask_chain(lane.node)
        load = lane.limits.load_of(batch.form, calls, asks_chain=asks_chain)
        lane.limits.take(load)
        self._counters.hedged += calls
        METRICS.retried(_HEDGED, calls)
        return Flight(
            lane,
            queue,
            batch,
            permit,
            load=load,
            asks_chain=asks_chain,
            exchange=self._exchange,
            log=self.request_log,
            loop=self._loop,
        )

    def _abort(self, batch: Batch, error: RpcError) -> None:
        for group in batch.groups:
            if group.batch is batch:
                self._fail(group, error)

    def _settle(self, landed: Flight, batch: Batch, answers: Sequence[Answer]) -> None:
        lane, sending = landed.lane, landed.sending
        failed: dict[tuple[str, bool], list[Group]] = {}
        for group in batch.groups:
            raws: list[bytes] = []
            for place in group.places:
                answer = answers[place]
                if isinstance(answer, RpcError):
                    group.last_error = answer
                    group.tried_in_vain(sending, answer.reason)
                    failed.setdefault((answer.reason, answer.retryable), []).append(group)
                    break
                raws.append(answer)
            else:
                group.batch = None
                self._done(group)
                for waiter in group.waiters:
                    waiter.deliver(raws, lane.node, sending, group.before)
                group.waiters = []
        for groups in failed.values():
            self._retries.again(lane, groups)

    def _batch_failed(self, flight: Flight, error: RpcError) -> None:
        lane, batch = flight.lane, flight.batch
        lane.record.counters.failures[error.reason] += 1
        for group in batch.groups:
            group.last_error = error
            group.tried_in_vain(flight.sending, error.reason)
        if isinstance(error, (BatchRefused, AnswerTooLarge)) and len(batch.groups) > 1:
            self._split(lane, batch, error)
            return
        if error.retry_after_s:
            rest_s = min(error.retry_after_s, self._config.rest_max_s)
            self._rates.rest(lane.node.label, rest_s)
        self._order.look()
        self._retries.again(lane, batch.groups)

    def _split(self, lane: Lane, batch: Batch, error: RpcError) -> None:
        """Asks the same node in halves, at no cost in attempts: less at once may be enough."""
        half = max(1, len(batch.fragments) // 2)
        if isinstance(error, BatchRefused):
            lane.shrink(half)
        for group in batch.groups:
            group.batch = None
            group.batch_limit = half
        self._requeue(batch.groups)

    def _fail(self, group: Group, error: RpcError) -> None:
        self._done(group)
        group.batch = None
        group.fail(error)
        group.waiters = []
