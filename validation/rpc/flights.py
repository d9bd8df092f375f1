"""One sending of a batch to one node: the place and the permit that it takes, the times that it is
measured by, all given back once, however it ends.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Sequence
from time import monotonic

from validation.resilience import Permit
from validation.rpc.batching import Lane
from validation.rpc.errors import BreakerOpen, HttpStatus, NodeTimeout, RateLimited, RpcError
from validation.rpc.exchange import Exchange
from validation.rpc.forms import Load
from validation.rpc.metrics import CANCELLED, METRICS
from validation.rpc.queues import Batch, Queue
from validation.rpc.request_log import RequestLog
from validation.rpc.timing import Sending
from validation.rpc.wire import Answer

_BUSY_STATUS = frozenset({503, 504})


class Flight:
    """The lane's limits count it already; `carry` ends that, or `end` where it never ran."""

    __slots__ = (
        "_exchange",
        "_in_flight",
        "_is_ended",
        "_is_sent",
        "_launched_at",
        "_log",
        "_longest_rtt_s",
        "_longest_s",
        "_loop",
        "_permit",
        "_requests",
        "_sent_at",
        "asks_chain",
        "batch",
        "lane",
        "load",
        "queue",
        "sending",
    )

    def __init__(
        self,
        lane: Lane,
        queue: Queue,
        batch: Batch,
        permit: Permit,
        *,
        load: Load,
        asks_chain: bool,
        exchange: Exchange,
        log: RequestLog,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self.lane = lane
        self.queue = queue
        self.batch = batch
        self.load = load
        self.asks_chain = asks_chain
        self._exchange = exchange
        self._log = log
        self._longest_s = self._longest_rtt_s = 0.0
        self._requests = 0
        self._permit = permit
        self._loop = loop
        self._launched_at = self._sent_at = loop.time()
        now = monotonic()
        self.sending = Sending(lane.node.label, batch.kept_by, batch.kept_since, now, now, now)
        self._in_flight = lane.limits.in_flight
        self._is_sent = False
        self._is_ended = False

    async def carry(self) -> list[Answer]:
        """The answers, or the RpcError that ended it; by then everything is settled."""
        try:
            answers = await self.batch.form.carry(self, self.batch.fragments)
        except BreakerOpen:
            self._permit.cancel()
            raise
        except RpcError as error:
            self._failed(error)
            raise
        except asyncio.CancelledError:
            self._cancelled()
            raise
        except BaseException:
            self._permit.cancel()  # a defect of this client says nothing about the node
            raise
        else:
            self._answered(answers)
            return answers
        finally:
            self._release()

    def post_all(self, fragments: Sequence[bytes]) -> Awaitable[list[Answer]]:
        """In one request."""
        return self._exchange.send(
            self.lane.node, fragments, asks_chain=self.asks_chain, gate=self._gate
        )

    async def post_one(self, fragment: bytes) -> Answer:
        """In a request of its own, and measured by itself: a node is judged by how long one takes.
        Nothing is awaited between the look for a known connection and taking it.
        """
        exchange, loop, node, limits = self._exchange, self._loop, self.lane.node, self.lane.limits
        asks_chain = exchange.must_ask_chain(node)
        began_at = sent_at = self.batch.posted_at = loop.time()

        def gate() -> None:
            nonlocal sent_at
            self._gate()
            sent_at = self._sent_at

        limits.add(asks_chain)
        try:
            (answer,) = await exchange.send(node, [fragment], asks_chain=asks_chain, gate=gate)
        finally:
            limits.add(-asks_chain)
            now = loop.time()
            self._longest_s = max(self._longest_s, now - began_at)
            self._longest_rtt_s = max(self._longest_rtt_s, now - sent_at)
        return answer

    def end(self, _task: object = None) -> None:
        """To be called when the task that was to carry it is done: one that is cancelled before
        its first step has not run at all.
        """
        if not self._is_ended:
            self._permit.cancel()
            self._release()

    def _release(self) -> None:
        self._is_ended = True
        self.lane.release(self.load)

    def _gate(self) -> None:
        """Called at the last moment before bytes go out, each time that they do."""
        self.queue.check_open()
        self._sent_at = self._loop.time()
        counters = self.lane.record.counters
        counters.requests += 1
        self._requests += 1
        if not (self._is_sent and self._longest_s):
            self.sending.sent_at = monotonic()
        if not self._is_sent:
            self._is_sent = True
            counters.batches += 1
            counters.calls += len(self.batch.fragments)

    def _answered(self, answers: Sequence[Answer]) -> None:
        rtt_s = self._rtt_s()
        errors = [answer for answer in answers if isinstance(answer, RpcError)]
        fault = _common_fault(errors, len(answers)) if errors else None
        if fault is None:
            self.lane.record.answered(rtt_s, self.load.size)
        else:
            self.lane.record.failed()
        is_busy = any(map(_is_busy, errors)) if errors else False
        self._settle(fault, is_busy=is_busy, rtt_s=rtt_s)
        if errors:
            self._count_each(answers, rtt_s)
            self._note(errors[0].reason, rtt_s)
        else:
            METRICS.back(self.batch.tally(), "ok", rtt_s)
            self._note("ok", rtt_s)

    def _failed(self, error: RpcError) -> None:
        rtt_s = self._rtt_s()
        if error.trips_breaker:
            self.lane.record.failed()
        self._settle(error, is_busy=_is_busy(error), rtt_s=rtt_s)
        METRICS.back(self.batch.tally(), error.reason, rtt_s)
        self._note(error.reason, rtt_s)

    def _cancelled(self) -> None:
        """Nobody waited any more, which speaks against the node only where it was late."""
        blame = self.batch.blame
        if blame is not None:
            self._failed(blame)
            return
        self._permit.cancel()
        if self._is_sent:
            rtt_s = self._rtt_s()
            METRICS.back(self.batch.tally(), CANCELLED, rtt_s)
            self._note(CANCELLED, rtt_s)

    def _settle(self, error: RpcError | None, *, is_busy: bool, rtt_s: float) -> None:
        queue = self.queue
        self.sending.ended_at = monotonic()
        duration_s = self._longest_s or self._loop.time() - self._launched_at
        queue.breaker.settle(self._permit, duration_s, error)
        if error is not None and error.trips_breaker:
            queue.last_error = error
        if error is not None or queue.is_blocked:
            queue.look_again()
            if queue.is_blocked:
                self.lane.record.forgive()
                self.lane.tell_stuck()
        if error is None or is_busy:  # a refused connection is no quick answer
            self.lane.limits.limiter.observe(rtt_s, self._in_flight, is_busy, calls=self.load.size)

    def _rtt_s(self) -> float:
        """Of the slowest of its requests."""
        return self._longest_rtt_s or self._loop.time() - self._sent_at

    def _note(self, outcome: str, took_s: float) -> None:
        self._log.note(self.lane.node.label, self.batch, self._requests, took_s, outcome)

    def _count_each(self, answers: Sequence[Answer], rtt_s: float) -> None:
        outcomes: dict[str, Counter[str]] = {}
        methods = (method for names in self.batch.methods for method in names)
        for method, answer in zip(methods, answers, strict=True):
            outcome = answer.reason if isinstance(answer, RpcError) else "ok"
            outcomes.setdefault(outcome, Counter())[method] += 1
        for outcome, counts in outcomes.items():
            METRICS.back(counts, outcome, rtt_s)


def _common_fault(errors: Sequence[RpcError], calls: int) -> RpcError | None:
    """The node's own fault where it shows in half of the answers or more: whole batches are
    judged, and one call that makes a node stumble says little.
    """
    faults = [error for error in errors if error.trips_breaker]
    return faults[0] if faults and len(faults) * 2 >= calls else None


def _is_busy(error: RpcError) -> bool:
    return isinstance(error, NodeTimeout | RateLimited) or (
        isinstance(error, HttpStatus) and error.status in _BUSY_STATUS
    )
