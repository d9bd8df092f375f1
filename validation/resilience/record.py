"""What a breaker has seen of trouble, and how its counts reach the metrics.

Made only once there is trouble to record: most breakers only ever see good calls, which their
window counts.
"""

from typing import Final

from monitoring.instruments import BREAKER_CALLS, BREAKER_TRANSITIONS
from validation.resilience.reports import Transition
from validation.resilience.states import Change, Outcome

_HISTORY: Final = 20
OTHER: Final = "other"


class Record:
    """Caller holds the lock."""

    __slots__ = (
        "_untallied",
        "_untold",
        "rejected",
        "rejected_tallied",
        "revision",
        "transitions",
        "trips",
    )

    def __init__(self) -> None:
        # Since the start.
        self.rejected = 0
        self.trips = 0
        self.revision = 0
        """Of the operator's control that is obeyed."""
        self.transitions: tuple[Transition, ...] = ()
        self.rejected_tallied = 0
        self._untallied: dict[Outcome, int] | None = None
        self._untold: tuple[Change, ...] = ()

    def count(self, outcome: Outcome, calls: int = 1) -> None:
        if self._untallied is None:
            self._untallied = {}
        self._untallied[outcome] = self._untallied.get(outcome, 0) + calls

    def take_counts(self) -> dict[Outcome, int]:
        """What is to be told to the metrics, once."""
        counts, self._untallied = self._untallied, None
        return counts or {}

    def changed(self, change: Change) -> None:
        transition = Transition(
            at=change.at,
            before=change.before.value,
            after=change.after.value,
            cause=change.cause,
        )
        self.transitions = (*self.transitions, transition)[-_HISTORY:]
        self._untold = (*self._untold, change)

    @property
    def has_untold(self) -> bool:
        """True where a change waits to be told. Needs no lock."""
        return bool(self._untold)

    def take_untold(self) -> tuple[Change, ...]:
        """What is to be told to listeners, once."""
        changes, self._untold = self._untold, ()
        return changes


def count_calls(label: str, outcome: str, calls: int) -> None:
    """Counts go to the metrics in bulk: one costs more than the call that it counts."""
    if calls:
        BREAKER_CALLS.labels(label, outcome).inc(calls)


def count_transition(label: str, change: Change) -> None:
    BREAKER_TRANSITIONS.labels(label, change.before.value, change.after.value).inc()
