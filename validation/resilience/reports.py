"""One breaker as its process sees it, in plain values for whoever publishes them.

The fields are those of `monitoring.snapshots.BreakerReport`, which says what each means.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A change of the state in force, `at` by the wall clock (epoch seconds)."""

    at: float
    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    name: str
    # By the wall clock (epoch seconds).
    made_at: float
    state: str
    computed: str
    failure_rate: float | None
    slow_rate: float | None
    calls: int
    failures: int
    slow: int
    rejected: int
    trips: int
    retry_in_s: float | None
    p50_ms: float | None
    p95_ms: float | None
    forced_for_s: float | None
    revision: int
    settings: Mapping[str, float]
    transitions: tuple[Transition, ...]

    def with_latencies(self, p50_s: float | None, p95_s: float | None) -> Self:
        p50_ms = None if p50_s is None else p50_s * 1000
        p95_ms = None if p95_s is None else p95_s * 1000
        return replace(self, p50_ms=p50_ms, p95_ms=p95_ms)
