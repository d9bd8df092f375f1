"""Calls that travel together, and those who wait for them."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from validation.rpc.calls import Call, Reply
from validation.rpc.classes import Shape
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import BadAnswer, RpcError
from validation.rpc.wire import clean

if TYPE_CHECKING:
    from validation.rpc.batching import Lane
    from validation.rpc.queues import Batch


_NONE: frozenset[int] = frozenset()  # shared: a set of its own costs a group as much as encoding


class Waiter:
    """One fetch: its future, its calls, and where among the group's calls each of them is."""

    __slots__ = ("calls", "deadline", "future", "group", "places", "timeout_s")

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
        self.group: Group | None = None
        self.places: Sequence[int] | None = None

    def deliver(self, raws: Sequence[bytes], node: NodeUrl) -> None:
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
            self.future.set_result(Reply(values, node.label, tuple(raws)))

    def fail(self, error: RpcError) -> None:
        if not self.future.done():
            self.future.set_exception(error.clone())


class Group:
    """The calls of one fetch, sent in one batch to one node, for everyone who asked the same."""

    __slots__ = (
        "attempts",
        "batch",
        "batch_limit",
        "fragments",
        "kind",
        "lane",
        "last_error",
        "methods",
        "node",
        "queued_at",
        "sent_at",
        "tried",
        "waiters",
    )

    def __init__(self, fragments: list[bytes], *, shape: Shape) -> None:
        self.fragments = fragments
        self.methods, self.kind = shape
        self.waiters: list[Waiter] = []
        self.attempts = 0
        self.tried: frozenset[int] = _NONE
        self.lane: Lane | None = None
        self.batch: Batch | None = None
        self.batch_limit: int | None = None
        self.queued_at = 0.0
        self.sent_at = 0.0
        self.node = 0  # the index of the one that has it, where `batch` says that one does
        self.last_error: RpcError | None = None

    def fail(self, error: RpcError) -> None:
        for waiter in self.waiters:
            waiter.fail(error)

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
