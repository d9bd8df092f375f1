"""What becomes of calls that failed: asked elsewhere, later, or not again."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from time import monotonic

from validation.resilience import Backoff, RetryBudget
from validation.rpc.batching import Lane
from validation.rpc.counters import Counters
from validation.rpc.errors import RpcError
from validation.rpc.groups import Group
from validation.rpc.lanes import Parts
from validation.rpc.metrics import METRICS
from validation.rpc.nodes import NodeOrder


class Verdict(Enum):
    """What becomes of calls whose batch, or whose own answer, failed."""

    ELSEWHERE = "elsewhere"
    """Asked of another node at once."""
    LATER = "later"
    """Asked again after a back-off."""
    NEVER = "never"


def judge(error: RpcError, *, attempts: int, max_attempts: int, has_other_node: bool) -> Verdict:
    """Another node is worth asking whenever the fault is this node's, even one that will not pass
    by itself; the same node only where time may help.
    """
    if attempts >= max_attempts:
        return Verdict.NEVER
    if has_other_node and (error.retryable or error.trips_breaker):
        return Verdict.ELSEWHERE
    return Verdict.LATER if error.retryable else Verdict.NEVER


class Retries:
    """Groups that failed, between their attempts. `requeue` asks them again, `fail` tells them."""

    def __init__(
        self,
        parts: Parts,
        *,
        order: NodeOrder,
        budget: RetryBudget,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
        requeue: Callable[[Iterable[Group]], None],
        fail: Callable[[Group, RpcError], None],
    ) -> None:
        config = parts.config
        self._max_attempts = config.max_attempts
        self._backoff = Backoff(
            base_s=config.backoff_base_s, cap_s=config.backoff_cap_s, random=parts.random
        )
        self._order = order
        self._budget = budget
        self._counters = counters
        self._loop = loop
        self._requeue = requeue
        self._fail = fail
        self._later: set[asyncio.TimerHandle] = set()

    def close(self) -> None:
        """Leaves no timer."""
        for handle in self._later:
            handle.cancel()

    def again(self, lane: Lane, groups: Sequence[Group]) -> None:
        """Each group is asked elsewhere, later or not at all."""
        now: list[Group] = []
        later: list[Group] = []
        for group in groups:
            group.batch = None
            if group.last_error is None or group.last_error.retry_after_s is None:
                group.attempts += 1  # a node that says when to come back is taken at its word
            group.tried |= {lane.index}
            error = group.last_error
            if error is None or not group.waiters:
                continue
            is_free = group.only is None
            verdict = judge(
                error,
                attempts=group.attempts,
                max_attempts=self._max_attempts,
                has_other_node=is_free and self._order.other(group.kind, group.tried) is not None,
            )
            if verdict is Verdict.NEVER:
                self._fail(group, error)
            elif verdict is Verdict.ELSEWHERE or lane.queue(group.kind).is_blocked:
                # A breaker that is open by now is all the back-off there need be, and lets no more
                # through than the node can take: no budget is needed to wait for it.
                now.append(group)
            else:
                later.append(group)
        self._count_retries(now)
        self._requeue(now)
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
        since = monotonic()

        def wake() -> None:
            self._later.discard(handle)
            for group in groups:
                group.rested(since)
            self._requeue(groups)

        handle = self._loop.call_later(delay, wake)
        self._later.add(handle)

    def _count_retries(self, groups: Iterable[Group]) -> None:
        for group in groups:
            if group.last_error is not None:
                self._counters.retries[group.last_error.reason] += len(group.fragments)
                METRICS.retried(group.last_error.reason, len(group.fragments))
