"""What a breaker has seen since its process started, and how it reaches the metrics.

Made only once there is something to record: most breakers only ever see good calls, which their
window counts.
"""

from collections import deque
from typing import Final

from monitoring.instruments import BREAKER_CALLS, BREAKER_TRANSITIONS
from validation.resilience.reports import Transition
from validation.resilience.states import Change, Outcome
from validation.resilience.window import Window

HISTORY: Final = 20
_REJECTED: Final = "rejected"


class Record:
    """Counts go to the metrics in bulk: a metric costs more than the call that it counts."""

    __slots__ = ("_told", "outcomes", "rejected", "revision", "transitions", "trips", "untold")

    def __init__(self) -> None:
        # By outcome. Good calls that a window counts are added when it is read, or let go.
        self.outcomes = dict.fromkeys(Outcome, 0)
        self.rejected = 0
        self.trips = 0
        self.revision = 0
        self.transitions: deque[Transition] = deque(maxlen=HISTORY)
        self.untold: deque[Change] = deque()
        self._told: dict[str, int] = {}

    def changed(self, change: Change) -> None:
        """Caller holds the lock, and tells the change once it has let go of it."""
        self.transitions.append(
            Transition(
                at=change.at,
                before=change.before.value,
                after=change.after.value,
                cause=change.cause,
            )
        )
        self.untold.append(change)

    def tally(self, name: str, window: Window) -> None:
        """Moves what is new to the metrics. Caller holds the lock."""
        totals = {outcome.value: count for outcome, count in self.outcomes.items()}
        totals[Outcome.SUCCESS.value] += window.good_total
        totals[_REJECTED] = self.rejected
        for outcome, total in totals.items():
            if new := total - self._told.get(outcome, 0):
                BREAKER_CALLS.labels(name, outcome).inc(new)
        self._told = totals


def count_transition(change: Change) -> None:
    BREAKER_TRANSITIONS.labels(change.name, change.before.value, change.after.value).inc()
