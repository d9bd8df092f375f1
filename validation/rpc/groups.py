"""Calls that travel together, and those who wait for them."""

import asyncio
from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from validation.rpc.calls import Call, Reply
from validation.rpc.classes import Shape
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import BadAnswer, RpcError
from validation.rpc.forms import WITH_OTHERS, Form
from validation.rpc.timing import MOST_STRETCHES, Sending, Stretch, Timing
from validation.rpc.wire import clean

if TYPE_CHECKING:
    from validation.rpc.batching import Lane
    from validation.rpc.queues import Batch


_NONE: frozenset[int] = frozenset()  # shared: a set of its own costs a group as much as encoding


class Waiter:
    """One fetch: its future, its calls, and where among the group's calls each of them is."""

    __slots__ = ("asked_at", "calls", "deadline", "future", "group", "places", "timeout_s")

    def __init__(
        self,
        calls: Sequence[Call],
        *,
        future: asyncio.Future[Reply],
        deadline: float,
        timeout_s: float,
    ) -> None:
        self.calls = calls
        self.future = future
        self.deadline = deadline
        self.timeout_s = timeout_s
        self.asked_at = monotonic()
        self.group: Group | None = None
        self.places: Sequence[int] | None = None

    def deliver(
        self,
        raws: Sequence[bytes],
        node: NodeUrl,
        sending: Sending | None = None,
        before: tuple[Stretch, ...] = (),
    ) -> None:
        """Decodes the group's answers for this fetch, with its own decoders."""
        if self.future.done():
            return
        if self.places is not None:
            raws = [raws[place] for place in self.places]
        try:
            values = tuple([call.decode(raw) for call, raw in zip(self.calls, raws, strict=True)])
        except Exception as exc:  # noqa: BLE001 - decoders are the caller's, fed by a foreign node
            words = clean(f"{type(exc).__name__}: {exc}", node)
            self.future.set_exception(
                BadAnswer(f"an answer cannot be decoded: {words}", node=node.label)
            )
        else:
            timing = Timing(self.asked_at, sending, before)
            self.future.set_result(Reply(values, node.label, tuple(raws), "node", 0.0, timing))

    def fail(self, error: RpcError) -> None:
        if not self.future.done():
            twin = error.clone()
            if self.group is not None:
                twin.timing = Timing(self.asked_at, None, self.group.before)
            self.future.set_exception(twin)


class Group:
    """The calls of one fetch, sent in one batch to one node, for everyone who asked the same."""

    __slots__ = (
        "attempts",
        "batch",
        "batch_limit",
        "before",
        "form",
        "fragments",
        "kind",
        "lane",
        "last_error",
        "methods",
        "node",
        "only",
        "places",
        "queued_at",
        "sent_at",
        "shares",
        "tried",
        "waiters",
    )

    def __init__(
        self,
        fragments: list[bytes],
        *,
        shape: Shape,
        only: "Lane | None" = None,
        form: Form = WITH_OTHERS,
        shares: bool = True,
    ) -> None:
        self.fragments = fragments
        self.form = form
        self.shares = shares  # a batch's answers with whoever asks the same in it
        self.places: Sequence[int] = ()  # where in its batch each call is
        self.methods, self.kind = shape
        self.waiters: list[Waiter] = []
        self.attempts = 0
        self.tried: frozenset[int] = _NONE
        self.lane: Lane | None = None
        self.batch: Batch | None = None
        self.batch_limit: int | None = None
        self.queued_at = 0.0
        self.sent_at = 0.0
        self.node: Lane | None = None  # who has it, where `batch` says that one does
        self.only = only  # the one to be asked, where that is part of the question
        self.last_error: RpcError | None = None
        self.before: tuple[Stretch, ...] = ()

    def fail(self, error: RpcError) -> None:
        for waiter in self.waiters:
            waiter.fail(error)

    def tried_in_vain(self, sending: Sending, reason: str) -> None:
        """Notes an attempt that failed, for who looks where the time went."""
        before = self.before
        if len(before) < MOST_STRETCHES:
            since = before[-1][2] if before else min(self.queued_at, sending.launched_at)
            self.before = (*before, *sending.stretches(since, reason))

    def rested(self, since: float) -> None:
        """Notes a back-off that ends now."""
        if len(self.before) < MOST_STRETCHES:
            self.before = (*self.before, ("backoff", since, monotonic(), "", ""))

    @property
    def deadline(self) -> float:
        """When the last of its waiters gives up."""
        return max((waiter.deadline for waiter in self.waiters), default=0.0)

    def join(self, waiter: Waiter, fragments: Sequence[bytes]) -> bool:
        """Adds a fetch all of whose calls this group already carries; False where it doesn't."""
        if fragments != self.fragments:
            if any(fragment not in self.fragments for fragment in fragments):
                return False
            waiter.places = [self.fragments.index(fragment) for fragment in fragments]
        waiter.group = self
        self.waiters.append(waiter)
        return True
