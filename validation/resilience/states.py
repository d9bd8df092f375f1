"""The states of a breaker: who may pass, what an outcome leads to, and when time alone moves on.

Pure: a state never reads a clock, takes no lock and tells nobody. Whoever holds one calls it under
the breaker's lock and follows the step that it answers with.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple, Protocol

from validation.resilience.permits import Permit
from validation.resilience.window import Counts


class State(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"
    FORCED_CLOSED = "forced_closed"
    METRICS_ONLY = "metrics_only"
    DISABLED = "disabled"


FORCED: Final = ("forced_open", "forced_closed", "metrics_only", "disabled")
"""The modes of an operator. Forced closed and metrics only both let every call pass and go on
computing what the breaker would be by itself; disabled does not even look.
"""


class Outcome(StrEnum):
    SUCCESS = "success"
    SLOW = "slow"
    FAILURE = "failure"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Told after the state in force has changed, with no lock held. `at` by the wall clock."""

    name: str
    at: float
    before: State
    after: State
    cause: str


class Rules(Protocol):
    """What the states need to know of a `BreakerConfig`."""

    @property
    def min_calls(self) -> int: ...
    @property
    def failure_rate(self) -> float: ...
    @property
    def slow_rate(self) -> float: ...
    @property
    def consecutive_failures(self) -> int: ...
    @property
    def open_s(self) -> float: ...
    @property
    def open_max_s(self) -> float: ...
    @property
    def open_growth(self) -> float: ...
    @property
    def jitter(self) -> float: ...
    @property
    def calm_s(self) -> float: ...
    @property
    def half_open_calls(self) -> int: ...
    @property
    def half_open_max_s(self) -> float: ...


class Step(NamedTuple):
    """Where to go, why, and since when on the breaker's clock."""

    to: "Closed | Open | HalfOpen"
    cause: str
    at: float


class Closed:
    """Everyone passes, with the window as permit."""

    __slots__ = ("_since", "_streak")

    state = State.CLOSED

    def __init__(self, streak: int = 0, since: float = 0.0) -> None:
        self._streak = streak
        self._since = since

    def move(self, now: float, rules: Rules, random: Random) -> Step | None:
        del now, rules, random
        return None

    def judge(
        self, counts: Counts, run: int, now: float, rules: Rules, random: Random
    ) -> Step | None:
        """After each call that was counted."""
        cause = _why_open(counts, run, rules)
        if cause is None:
            return None
        streak = 0 if now - self._since >= rules.calm_s else self._streak
        return Step(Open.after(streak, now, rules, random), cause, now)


class Open:
    """Nobody passes until `until`."""

    __slots__ = ("streak", "until")

    state = State.OPEN

    def __init__(self, streak: int, until: float) -> None:
        self.streak = streak
        """Trips without a calm between them, this one included."""
        self.until = until

    @classmethod
    def after(cls, streak: int, now: float, rules: Rules, random: Random) -> "Open":
        """The trip after `streak` others: each opens for longer, up to a bound, and not all
        processes come back at the same moment.
        """
        bound = max(rules.open_max_s, rules.open_s)
        open_s = rules.open_s
        for _ in range(streak):
            open_s = min(open_s * rules.open_growth, bound)
            if open_s == bound:
                break
        spread = random.uniform(1 - rules.jitter, 1 + rules.jitter)
        return cls(streak + 1, now + open_s * spread)

    def move(self, now: float, rules: Rules, random: Random) -> Step | None:
        del rules, random
        if now < self.until:
            return None
        return Step(HalfOpen(self.streak), "the open time is over", self.until)


class HalfOpen:
    """A few probes pass and decide. A place belongs to a probe until it comes back; one that
    brought no outcome frees it for another, as soon as somebody looks.
    """

    __slots__ = ("_good", "_out", "_slow", "streak")

    state = State.HALF_OPEN

    def __init__(self, streak: int) -> None:
        self.streak = streak
        self._out: list[Probe] = []
        self._good = self._slow = 0

    def admit(self, now: float, rules: Rules) -> "Probe | None":
        if not self.has_place(rules):
            return None
        probe = Probe(self, now)
        self._out.append(probe)
        return probe

    def has_place(self, rules: Rules) -> bool:
        self._forget_cancelled()
        return len(self._out) + self._good + self._slow < rules.half_open_calls

    def give_back(self, probe: "Probe") -> bool:
        """False where it was given back before, or cancelled."""
        if probe.is_cancelled or probe not in self._out:
            return False
        self._out.remove(probe)
        return True

    def judge(self, outcome: Outcome, now: float, rules: Rules, random: Random) -> Step | None:
        """After a probe was given back with its outcome."""
        if outcome is Outcome.FAILURE:
            return self._reopen("a probe failed", now, rules, random)
        self._good += outcome is Outcome.SUCCESS
        self._slow += outcome is Outcome.SLOW
        return self.move(now, rules, random)

    def move(self, now: float, rules: Rules, random: Random) -> Step | None:
        """Decides once enough probes came back, and does not wait for ever for one that is lost."""
        done = self._good + self._slow
        if done >= rules.half_open_calls:
            if self._slow / done >= rules.slow_rate:
                return self._reopen(f"{self._slow} of {done} probes were slow", now, rules, random)
            return Step(Closed(self.streak, now), f"{done} probes succeeded", now)
        self._forget_cancelled()
        if self._out and now - self._out[0].asked_at >= rules.half_open_max_s:
            lost_at = self._out[0].asked_at + rules.half_open_max_s
            return self._reopen("a probe did not come back", lost_at, rules, random)
        return None

    def _forget_cancelled(self) -> None:
        if any(probe.is_cancelled for probe in self._out):
            self._out = [probe for probe in self._out if not probe.is_cancelled]

    def _reopen(self, cause: str, now: float, rules: Rules, random: Random) -> Step:
        return Step(Open.after(self.streak, now, rules, random), cause, now)


class Probe(Permit):
    """The permit of one call through a half-open breaker."""

    __slots__ = ("asked_at", "half_open", "is_cancelled")

    def __init__(self, half_open: HalfOpen, asked_at: float) -> None:
        self.half_open = half_open
        self.asked_at = asked_at
        self.is_cancelled = False

    def cancel(self) -> None:
        """Takes no lock, on whatever thread: the place is freed under it by who looks next."""
        self.is_cancelled = True


def _why_open(counts: Counts, run: int, rules: Rules) -> str | None:
    if 0 < rules.consecutive_failures <= run:
        return f"{run} failures in a row"
    calls, failures, slow = counts
    if calls < rules.min_calls:
        return None
    if failures / calls >= rules.failure_rate:
        return f"{failures} of {calls} calls failed"
    if slow / calls >= rules.slow_rate:
        return f"{slow} of {calls} calls were slow"
    return None
