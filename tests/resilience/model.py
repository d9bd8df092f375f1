"""A breaker as one would explain it at a whiteboard: every call kept in a list, nothing optimised.

What the state machine of `test_against_model` compares the real one with.
"""

from dataclasses import dataclass, field
from typing import Literal

from validation.resilience import BreakerConfig

type Outcome = Literal["good", "slow", "failed", "ignored"]


@dataclass(slots=True, eq=False)
class Token:
    """A permit of the model: which spell of which state it was given in."""

    kind: Literal["closed", "probe", "bystander", "unseen"]
    spell: int
    at: float
    is_out: bool = True


@dataclass(slots=True)
class Model:
    config: BreakerConfig
    base: BreakerConfig
    now: float
    state: str = "closed"
    spell: int = 0
    since: float = 0.0
    until: float = 0.0
    streak: int = 0
    run: int = 0
    calls: list[tuple[float, bool, bool]] = field(default_factory=list)
    probes: list[Token] = field(default_factory=list)
    came_back: list[bool] = field(default_factory=list)
    mode: str = ""
    mode_ends: float | None = None
    lent: dict[str, float] = field(default_factory=dict)
    lent_ends: float | None = None
    lasting: dict[str, float] = field(default_factory=dict)
    revision: int = 0
    rejected: int = 0
    trips: int = 0

    @property
    def in_force(self) -> str:
        return self.mode or self.state

    def move(self) -> None:
        """Whatever is due by the clock, until nothing is."""
        # Nearer end first: with each, the window may be another.
        due = {ends for ends in (self.mode_ends, self.lent_ends) if ends is not None}
        for ends in sorted(due):
            if self.now >= ends:
                if self.mode_ends == ends:
                    self.mode, self.mode_ends = "", None
                if self.lent_ends == ends:
                    self.lent, self.lent_ends = {}, None
                self.follow()
        while True:
            if self.state == "open" and self.now >= self.until:
                self.half_open()
            elif self.state == "half_open" and self._all_came_back():
                slow_share = sum(self.came_back) / len(self.came_back)
                if slow_share >= self.config.slow_rate:
                    self.open(self.now)
                else:
                    self.close(self.streak)
            elif self.state == "half_open" and self._oldest_probe_is_lost():
                self.open(self.probes[0].at + self.config.half_open_max_s)
            else:
                return

    def _all_came_back(self) -> bool:
        return len(self.came_back) >= self.config.half_open_calls

    def _oldest_probe_is_lost(self) -> bool:
        return bool(self.probes) and self.now - self.probes[0].at >= self.config.half_open_max_s

    def half_open(self) -> None:
        self.state, self.probes, self.came_back = "half_open", [], []
        self.spell += 1

    def open(self, at: float) -> None:
        bound = max(self.config.open_s, self.config.open_max_s)
        open_s = min(bound, self.config.open_s * self.config.open_growth**self.streak)
        self.state, self.until = "open", at + open_s
        self.streak += 1
        self.trips += 1
        self.spell += 1

    def close(self, streak: int) -> None:
        self.state, self.since, self.streak = "closed", self.now, streak
        self.calls, self.run = [], 0
        self.spell += 1

    def release(self) -> None:
        self.hold("", None, {}, None, {})

    def hold(
        self,
        mode: str,
        mode_for_s: float | None,
        lent: dict[str, float],
        lent_for_s: float | None,
        lasting: dict[str, float],
    ) -> None:
        self.mode, self.mode_ends = mode, None
        if mode_for_s is not None:
            self.mode, self.mode_ends = (mode, self.now + mode_for_s) if mode_for_s else ("", None)
        self.lent, self.lent_ends = lent, None
        if lent_for_s is not None:
            self.lent, self.lent_ends = (lent, self.now + lent_for_s) if lent_for_s else ({}, None)
        self.lasting = lasting
        self.follow()

    def follow(self) -> None:
        config = self.base.tuned(self.lasting | self.lent)
        if config.window_s != self.config.window_s:
            self.calls, self.run = [], 0
            if self.state == "closed":
                self.spell += 1  # who was let in before speaks of a window that is gone
        self.config = config

    def admit(self) -> Token | None:
        self.move()
        if self.mode == "disabled":
            return Token("unseen", self.spell, self.now)
        if self.mode == "forced_open":
            self.rejected += 1
            return None
        if self.state == "closed":
            return Token("closed", self.spell, self.now)
        if self.state == "half_open":
            taken = len(self.probes) + len(self.came_back)
            if taken < self.config.half_open_calls:
                token = Token("probe", self.spell, self.now)
                self.probes.append(token)
                return token
        if self.mode:
            return Token("bystander", self.spell, self.now)
        self.rejected += 1
        return None

    def cancel(self, token: Token) -> None:
        token.is_out = False
        if token in self.probes:
            self.probes.remove(token)

    def settle(self, token: Token, outcome: Outcome) -> None:
        if token.kind == "unseen":
            return
        self.move()
        if not token.is_out:
            return
        is_current = token.spell == self.spell and token.kind != "bystander"
        if token.kind == "probe":
            self.cancel(token)
        if outcome == "ignored" or not (is_current or token.kind == "bystander"):
            return
        failed, slow = outcome == "failed", outcome == "slow"
        self.calls.append((self.now, failed, slow))
        self.run = self.run + 1 if failed else 0
        if is_current and token.kind == "probe":
            if failed:
                self.open(self.now)
            else:
                self.came_back.append(slow)
                self.move()
        elif is_current and self.must_open():
            if self.now - self.since >= self.config.calm_s:
                self.streak = 0
            self.open(self.now)

    def must_open(self) -> bool:
        calls, failures, slow = self.counts()
        if self.config.consecutive_failures and self.run >= self.config.consecutive_failures:
            return True
        return calls >= self.config.min_calls and (
            failures / calls >= self.config.failure_rate or slow / calls >= self.config.slow_rate
        )

    def counts(self) -> tuple[int, int, int]:
        """The window is made of slices: a call counts until its slice is too old."""
        width_s = self.config.window_s / self.config.buckets
        oldest = self.now // width_s - self.config.buckets + 1
        kept = [call for call in self.calls if call[0] // width_s >= oldest]
        return len(kept), sum(call[1] for call in kept), sum(call[2] for call in kept)

    def retry_in_s(self) -> float | None:
        if self.mode == "forced_open":
            return None if self.mode_ends is None else self.mode_ends - self.now
        if self.mode or self.state != "open":
            return None
        return self.until - self.now
