"""Which node to ask: the first in order of preference that has not failed lately."""

from collections.abc import Callable, Collection

from validation.rpc.errors import RpcError


class NodeState:
    """How one node has done lately. After a failure it cools down, longer each time; then one
    batch tries it while the others keep to the next node, until it has answered.
    """

    __slots__ = ("cool_until", "failures", "trial_until")

    def __init__(self) -> None:
        self.failures = 0
        self.cool_until = 0.0
        self.trial_until = 0.0


class NodeOrder:
    """Nodes by index, most preferred first. It judges whole batches, never single calls."""

    def __init__(
        self, count: int, *, cool_down_s: float, cool_down_max_s: float, clock: Callable[[], float]
    ) -> None:
        self._states = [NodeState() for _ in range(count)]
        self._cool_down_s = cool_down_s
        self._cool_down_max_s = cool_down_max_s
        self._clock = clock
        self._all_well = True

    def pick(self, tried: Collection[int] = ()) -> int:
        """The node to ask now. Where every node cools down, the one that is ready first."""
        if self._all_well and not tried:
            return 0
        best = self._first_ready(tried)
        if best is None:
            best = self._first_ready(())
        if best is None:
            states = self._states
            untried = [i for i in range(len(states)) if i not in tried]
            best = min(untried or range(len(states)), key=lambda i: states[i].cool_until)
        state = self._states[best]
        if state.failures:  # timed, since whoever is to try it may give up before
            state.trial_until = self._clock() + self._cool_down_s
        return best

    def has_other(self, tried: Collection[int]) -> bool:
        """True when a node that was not tried yet is ready."""
        return self._first_ready(tried) is not None

    def succeeded(self, index: int) -> None:
        """Ends the rest of a node that had failed, not one that the node asked for."""
        if self._all_well:
            return
        state = self._states[index]
        if state.failures:
            state.failures = 0
            state.cool_until = 0.0
        state.trial_until = 0.0
        now = self._clock()
        self._all_well = all(not node.failures and node.cool_until <= now for node in self._states)

    def failed(self, index: int, error: RpcError) -> None:
        """Cools the node down if the failure was its own, or for as long as it asked for."""
        state = self._states[index]
        state.trial_until = 0.0
        if error.trips_breaker:
            state.failures += 1
            pause = self._cool_down_s * 2 ** min(state.failures - 1, 16)
        elif error.retry_after_s:
            pause = error.retry_after_s
        else:
            return
        self._all_well = False
        state.cool_until = max(state.cool_until, self._clock() + min(pause, self._cool_down_max_s))

    def cooling(self, index: int) -> float:
        """Seconds until the node is preferred again; 0 where it is."""
        return max(0.0, self._states[index].cool_until - self._clock())

    def _first_ready(self, tried: Collection[int]) -> int | None:
        now = self._clock()
        for index, state in enumerate(self._states):
            if index not in tried and max(state.cool_until, state.trial_until) <= now:
                return index
        return None
