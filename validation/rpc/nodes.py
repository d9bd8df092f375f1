"""Which node to ask: the best by score that may be asked now."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import NoReturn

from validation.rpc.batching import Lane
from validation.rpc.classes import MethodClass
from validation.rpc.errors import NoNode
from validation.rpc.queues import Queue

_EVERY_S = 1.0
_UNMEASURED = 0.85
"""What a node counts for that nobody asked of late: better than one that fails or is slow."""
_NEGLIGIBLE_S = 0.005
"""Between nodes that are near, chance decides who is twice as fast."""
_SILENT = 0.02
_PREFERENCE = 0.8
"""How much better a node must be than one that the configuration lists before it."""


class NodeOrder:
    """Nodes by index, best first. Scored once a second, when a batch is back, and not for each
    call; without any measure the order is that of the configuration.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        *,
        clock: Callable[[], float],
        hedge_quantile: Callable[[], float | None],
    ) -> None:
        self._lanes = lanes
        self.best_first = list(lanes)
        """Replaced, never changed: any thread may read it."""
        self._clock = clock
        self._hedge_quantile = hedge_quantile
        self._due = clock() + _EVERY_S
        self._first = self._head()

    def set_lanes(self, lanes: Sequence[Lane]) -> None:
        """Other nodes, or another order of preference."""
        self._lanes = lanes
        self._rank()

    def pick(self, kind: MethodClass, tried: Collection[int] = ()) -> Lane:
        """The node to ask now. Where none may be asked, the best: its lane is where to wait.
        Raises NoNode where there is none.
        """
        first, queue = self._first[kind]
        if not tried and not queue.is_blocked and not first.is_resting:
            return first  # as it seemed of late; the lane asks again before it sends
        return (
            self.other(kind, tried)
            or self.other(kind, ())
            or next((lane for lane in self.best_first if lane.index not in tried), first)
        )

    def other(self, kind: MethodClass, tried: Collection[int]) -> Lane | None:
        """The best node that was not tried and may be asked now."""
        for lane in self.best_first:
            if lane.index not in tried and lane.may_send(kind):
                return lane
        return None

    def look(self) -> None:
        """Scores the nodes where that is due."""
        now = self._clock()
        if now >= self._due:
            self._due = now + _EVERY_S
            self._rank()

    def _rank(self) -> None:
        quantile = self._hedge_quantile()
        speeds = [lane.record.speeds() for lane in self._lanes]
        fastest: dict[int, float] = {}
        for told in speeds:
            for size, seconds in told.items():
                fastest[size] = min(seconds, fastest.get(size, seconds))
        for lane, told in zip(self._lanes, speeds, strict=True):
            lane.record.set_hedge_delay(quantile)
            lane.record.score = _score(told, fastest, lane.record.failing())
        # Sorting is stable, and earlier nodes count for more: equals keep the configured order.
        self.best_first = sorted(self._lanes, key=_worth, reverse=True)
        self._first = self._head()

    def _head(self) -> dict[MethodClass, tuple[Lane, Queue]]:
        """The best node, for who asks a hundred times a batch."""
        found = _Head()
        if self.best_first:
            first = self.best_first[0]
            found.update({queue.kind: (first, queue) for queue in first.queues})
        return found


class _Head(dict[MethodClass, tuple[Lane, Queue]]):
    def __missing__(self, kind: MethodClass) -> NoReturn:
        raise NoNode("no node is in service")


def _score(
    speeds: Mapping[int, float], fastest: Mapping[int, float], failing: float
) -> float | None:
    """1 for a node that never fails and of which none is faster; None where nothing is known."""
    if not speeds and failing < _SILENT:
        return None
    ratios = [
        (fastest[size] + _NEGLIGIBLE_S) / (seconds + _NEGLIGIBLE_S)
        for size, seconds in speeds.items()
    ]
    speed = sum(ratios) / len(ratios) if ratios else _UNMEASURED
    return speed * (1 - failing) ** 2


def _worth(lane: Lane) -> float:
    score = lane.record.score
    return (_UNMEASURED if score is None else score) * _PREFERENCE**lane.rank
