"""Where the time of a question went: moments noted as it goes its way, read as spans if ever.

A batch notes its moments once for all fetches in it, a fetch when it was asked; spans are made only
for who looks at them. All moments are of `time.monotonic`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

MOST_STRETCHES: Final = 32
"""Of what went wrong before: a node that says when to come back costs no attempt."""
_SHORTEST_POOL_S: Final = 0.00005

type Stretch = tuple[str, float, float, str, str]
"""Name, from, to, the node's label, note."""


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a question's time, from `at_ms` after it was asked."""

    name: str
    """queue, l1, l2, shared, breaker, limiter, rate, pool, attempt, backoff, check:<name>."""
    at_ms: float
    ms: float
    node: str = ""
    note: str = ""
    """How it ended, where that is not told by the name: an error's reason, "hit", "miss"."""


class Sending(msgspec.Struct):
    """One batch on its way to one node. `kept_by` (breaker, limiter, rate, pool) kept its queue
    back since `kept_since`, before it was launched.
    """

    node: str
    kept_by: str
    kept_since: float
    launched_at: float
    sent_at: float
    """When its bytes went out: before, a connection was made."""
    ended_at: float

    def stretches(self, since: float, note: str = "") -> list[Stretch]:
        """Of a question that waited for it from `since`."""
        kept = max(since, self.kept_since) if self.kept_by else self.launched_at
        found: list[Stretch] = [("queue", since, kept, "", "")]
        if self.kept_by:
            found.append((self.kept_by, kept, self.launched_at, self.node, ""))
        if self.sent_at - self.launched_at >= _SHORTEST_POOL_S:
            found.append(("pool", self.launched_at, self.sent_at, self.node, ""))
        found.append(("attempt", self.sent_at, self.ended_at, self.node, note))
        return found


class Timing(msgspec.Struct):
    """Of one fetch of the client; `sending` None where none brought an answer."""

    asked_at: float
    sending: Sending | None
    before: tuple[Stretch, ...] = ()
    """What was tried in vain."""

    def stretches(self) -> list[Stretch]:
        found = list(self.before)
        if self.sending is not None:
            since = found[-1][2] if found else min(self.asked_at, self.sending.launched_at)
            found += self.sending.stretches(since)
        return found

    def spans(self) -> tuple[Span, ...]:
        return spans_of(self.asked_at, self.stretches())


class Remembered(msgspec.Struct):
    """Of one fetch through the cache, which L1 could not answer at once; `below`: of the fetch that
    brought the answer, whoever's it was.
    """

    began_at: float
    ended_at: float
    source: str
    node: str
    has_l2: bool
    below: Timing | None = None

    def spans(self) -> tuple[Span, ...]:
        return spans_of(self.began_at, self._stretches())

    def _stretches(self) -> list[Stretch]:
        began, ended, below = self.began_at, self.ended_at, self.below
        if self.source == "l1":
            return [("l1", began, ended, "", "hit")]
        found: list[Stretch] = [("l1", began, began, "", "miss")]
        if self.source == "l2":
            return [*found, ("l2", began, ended, "", "hit")]
        if below is None:
            return [*found, ("attempt", began, ended, self.node, "")]
        if below.asked_at < began:
            return [*found, ("shared", began, ended, self.node, "")]
        if self.has_l2:
            found.append(("l2", began, below.asked_at, "", "miss"))
        return found + below.stretches()


def spans_of(asked_at: float, stretches: Iterable[Stretch]) -> tuple[Span, ...]:
    """What was over before it was asked is somebody else's; what was under way is shared."""
    found = []
    for name, start, end, node, note in stretches:
        if end < asked_at:
            continue
        is_joined = name == "attempt" and start < asked_at
        start = max(start, asked_at)  # noqa: PLW2901 - clipped
        found.append(
            Span(
                name="shared" if is_joined else name,
                at_ms=(start - asked_at) * 1000,
                ms=(end - start) * 1000,
                node=node,
                note=note,
            )
        )
    return tuple(found)
