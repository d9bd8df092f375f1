"""A clock that moves when told, errors of both kinds, and a breaker with short words for it."""

from typing import Any

import pytest

from validation.resilience import Breaker, BreakerConfig, Change, Override, Permit, Rejected, State


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


class NodeFault(Exception):
    """The node's fault, which counts."""

    trips_breaker = True


class CallerFault(Exception):
    """The caller's own, which does not."""

    trips_breaker = False


class Bench:
    """A breaker on a clock of its own, with what it told its listener."""

    def __init__(self, **config: Any) -> None:
        self.clock = Clock()
        self.changes: list[Change] = []
        settings: dict[str, Any] = {"jitter": 0.0} | config
        self.breaker = Breaker(
            "node:a:lookup",
            BreakerConfig(**settings),
            clock=self.clock,
            listen=self.changes.append,
        )

    def settle(
        self, permit: Permit, error: BaseException | None = None, took_s: float = 0.01
    ) -> None:
        self.breaker.settle(permit, error=error, duration_s=took_s)

    def succeed(self, times: int = 1, *, took_s: float = 0.01) -> None:
        for _ in range(times):
            self.settle(self.breaker.admit(), took_s=took_s)

    def fail(self, times: int = 1) -> None:
        for _ in range(times):
            self.settle(self.breaker.admit(), NodeFault("no answer"))

    def trip(self) -> None:
        """Fails until it opens."""
        while self.breaker.admits():
            self.fail()

    def half_open(self) -> None:
        self.trip()
        self.clock.advance(self.breaker.retry_in_s() or 0.0)

    def rejection(self) -> Rejected:
        with pytest.raises(Rejected) as caught:
            self.breaker.admit()
        return caught.value

    def force(self, mode: str, for_s: float | None = None, revision: int = 0) -> None:
        self.breaker.override(Override(mode=mode, mode_for_s=for_s, revision=revision))

    def state(self) -> State:
        return self.breaker.state

    def computed(self) -> State:
        return self.breaker.computed

    def told(self) -> list[tuple[str, str]]:
        return [(change.before.value, change.after.value) for change in self.changes]
