"""What waits for one node in one class of methods, behind that class's breaker."""

import asyncio
from collections import deque
from collections.abc import Sequence
from time import monotonic

from validation.resilience import Breaker, Permit, Rejected, State
from validation.rpc.classes import MethodClass
from validation.rpc.errors import BreakerOpen, RpcError
from validation.rpc.forms import WITH_OTHERS, Form
from validation.rpc.groups import Group
from validation.rpc.metrics import tally


class Batch:
    """Groups on their way to one node. A call that two groups share is in it once."""

    __slots__ = (
        "asks_chain",
        "blame",
        "form",
        "fragments",
        "groups",
        "kept_by",
        "kept_since",
        "methods",
        "places",
        "posted_at",
        "task",
    )

    def __init__(self, *, asks_chain: bool = False) -> None:
        self.groups: list[Group] = []
        self.fragments: list[bytes] = []
        self.places: dict[bytes, int] = {}
        self.methods: list[tuple[str, ...]] = []
        self.asks_chain = asks_chain
        self.form: Form = WITH_OTHERS
        self.kept_by, self.kept_since = "", 0.0
        self.posted_at = 0.0
        """When the last of its requests began, by the loop's clock."""
        self.task: asyncio.Task[None] | None = None
        self.blame: RpcError | None = None
        """What the node is blamed for if it never answers: somebody's time ran out."""

    def add(self, group: Group) -> None:
        """A group that shares has its calls asked once with those of others."""
        fragments, before = self.fragments, len(self.fragments)
        self.groups.append(group)
        self.form = group.form
        if group.shares:
            places = self.places
            for fragment in group.fragments:
                if fragment not in places:
                    places[fragment] = len(fragments)
                    fragments.append(fragment)
        else:
            fragments += group.fragments
        after = len(fragments)
        if after - before == len(group.fragments):
            group.places = range(before, after)
            self.methods.append(group.methods)
        else:
            group.places = [places[fragment] for fragment in group.fragments]
            self.methods.append(_new_methods(group, places, before))

    def is_wanted(self) -> bool:
        return any(group.waiters for group in self.groups)

    def tally(self) -> dict[str, int]:
        """How many calls of each method it carries."""
        return tally(self.methods)


def _new_methods(group: Group, places: dict[bytes, int], before: int) -> tuple[str, ...]:
    """The methods of those calls that no other group of the batch had brought before."""
    named = dict(zip(group.fragments, group.methods, strict=True))
    return tuple(method for fragment, method in named.items() if places[fragment] >= before)


class Queue:
    """`is_blocked`: the breaker let nothing pass when it was last asked."""

    __slots__ = (
        "breaker",
        "groups",
        "is_blocked",
        "kept_by",
        "kept_since",
        "kind",
        "last_error",
    )

    def __init__(self, kind: MethodClass, breaker: Breaker) -> None:
        self.kind: MethodClass = kind
        self.breaker = breaker
        self.groups: deque[Group] = deque()
        self.is_blocked = False
        self.last_error: RpcError | None = None
        """The last that counted against the node."""
        self.kept_by, self.kept_since = "", 0.0
        """What keeps its groups back (breaker, limiter, rate, pool) and since when."""

    def admit(self) -> Permit | None:
        """A permit for one batch; None where the queue is blocked from now on."""
        try:
            permit = self.breaker.admit()
        except Rejected:
            self.is_blocked = True
            return None
        self.is_blocked = False
        return permit

    def admits(self) -> bool:
        """Would a batch pass now? Asks the breaker only where it was against it."""
        if self.is_blocked:
            self.is_blocked = not self.breaker.admits()
        return not self.is_blocked

    def look_again(self) -> None:
        """The breaker may have changed its mind."""
        self.is_blocked = not self.breaker.admits()

    def keep_back(self, by: str) -> None:
        if self.kept_by != by:
            self.kept_by, self.kept_since = by, monotonic()

    def forget_abandoned(self) -> None:
        """Drops those at the head whom nobody waits for: while nothing is sent, only this does."""
        groups = self.groups
        while groups and groups[0].lane is None:
            groups.popleft()

    def check_open(self) -> None:
        """Raises BreakerOpen where an operator forced the breaker open after the batch was let
        out and before a byte of it was sent.
        """
        if not self.breaker.admits() and self.breaker.state is State.FORCED_OPEN:
            raise self.refusal()

    def refusal(self, group: Group | None = None) -> BreakerOpen:
        """What those are told who waited in vain; the cause is what the node did last."""
        breaker = self.breaker
        is_forced = breaker.state is State.FORCED_OPEN
        why = "is held open by an operator" if is_forced else "is open"
        cause = (group.last_error if group else None) or self.last_error
        last = f"; the last error: {cause}" if cause else ""
        others = "takes the call" if group is None or group.only is None else "is to be asked"
        error = BreakerOpen(
            f"breaker {breaker.name} {why}, and no other node {others}{last}",
            retry_after_s=breaker.retry_in_s(),
        )
        error.__cause__ = cause
        return error


def oldest(queues: Sequence[Queue]) -> Queue | None:
    """The queue that may send and whose first group has waited longest."""
    found: Queue | None = None
    for queue in queues:
        if (
            queue.groups
            and not queue.is_blocked
            and (found is None or queue.groups[0].queued_at < found.groups[0].queued_at)
        ):
            found = queue
    return found
