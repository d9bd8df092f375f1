"""What the client counts about itself; whoever publishes telemetry reads it from any thread."""

from collections import Counter
from typing import Any


class NodeCounters:
    """Monotonic counts of one node since the client was made."""

    __slots__ = ("batches", "calls", "failures", "requests")

    def __init__(self) -> None:
        self.requests = 0
        self.batches = 0
        self.calls = 0
        self.failures: Counter[str] = Counter()

    def add(self, other: "NodeCounters") -> None:
        self.requests += other.requests
        self.batches += other.batches
        self.calls += other.calls
        self.failures += other.failures

    def as_dict(self) -> dict[str, Any]:
        return {
            "requests": self.requests,
            "batches": self.batches,
            "calls": self.calls,
            "failures": dict(self.failures),
        }


class Counters:
    """Monotonic counts of the client: fetches, calls shared, calls asked again and why, calls asked
    of a second node meanwhile, and the batches of those that came first.
    """

    __slots__ = ("fetches", "hedged", "hedges_won", "retries", "shared")

    def __init__(self) -> None:
        self.fetches = 0
        self.shared = 0
        self.hedged = 0
        self.hedges_won = 0
        self.retries: Counter[str] = Counter()
