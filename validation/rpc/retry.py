"""What becomes of calls that failed: asked elsewhere, later, or not again."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from time import monotonic

from validation.rpc.batching import Lane
from validation.rpc.counters import Counters
from validation.rpc.errors import RpcError
from validation.rpc.groups import Group
from validation.rpc.metrics import METRICS
from validation.rpc.nodes import NodeOrder
from validation.rpc.retry_policies import RetryPolicy, Verdict


class Retries:
    """Groups that failed, between their attempts. `requeue` asks them again, `fail` tells them.
    `policy` may be exchanged at any time: a pause that has begun ends as it was meant to.
    """

    def __init__(
        self,
        policy: RetryPolicy,
        *,
        order: NodeOrder,
        counters: Counters,
        loop: asyncio.AbstractEventLoop,
        requeue: Callable[[Iterable[Group]], None],
        fail: Callable[[Group, RpcError], None],
    ) -> None:
        self.policy = policy
        self._order = order
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
        policy = self.policy
        now: list[Group] = []
        later: list[Group] = []
        for group in groups:
            group.batch = None
            group.tried |= {lane.index}
            error = group.last_error
            if error is None or not group.waiters:
                continue
            group.attempts += policy.counts(error)
            is_free = group.only is None
            verdict = policy.judge(
                error,
                attempts=group.attempts,
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
        delay = self.policy.delay_s(sample.attempts, error.retry_after_s if error else None)
        due = self._loop.time() + delay
        again: list[Group] = []
        for group in groups:
            if due < group.deadline and self.policy.spend(len(group.fragments)):
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
