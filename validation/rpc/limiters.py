"""How many calls may be with one node at once: variants behind one Protocol, exchangeable live."""

from collections.abc import Callable
from typing import Protocol

from validation.rpc.gradient import GradientLimit

_UNBOUNDED = 1_000_000


class ConcurrencyLimit(Protocol):
    """A limit in calls. `limit` may change with what is observed, within 1 and `limit_max`."""

    limit: int
    limit_max: int

    def observe(self, rtt_s: float, in_flight: int, dropped: bool, *, calls: int = 1) -> None:
        """A batch of `calls` is back after `rtt_s`; `in_flight` calls were out with it, its own
        among them. `dropped`: the node was too busy for it.
        """

    def resize(self, share: int) -> None:
        """The process's share of the node is now `share` calls."""


class FixedLimit:
    """The baseline: the share, whatever the node does."""

    __slots__ = ("limit", "limit_max")

    def __init__(self, share: int) -> None:
        self.limit = self.limit_max = share

    def observe(self, rtt_s: float, in_flight: int, dropped: bool, *, calls: int = 1) -> None:
        """Nothing to learn."""

    def resize(self, share: int) -> None:
        self.limit = self.limit_max = share


class NoLimit(FixedLimit):
    """Only sockets and the queue bound what is out."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(_UNBOUNDED)

    def resize(self, share: int) -> None:
        """There is no share to change."""


type LimiterFactory = Callable[[int, Callable[[], float]], ConcurrencyLimit]
"""Makes a limiter from this process's share of a node and a clock."""


LIMITERS: dict[str, LimiterFactory] = {
    "none": lambda _share, _clock: NoLimit(),
    "fixed": lambda share, _clock: FixedLimit(share),
    "adaptive": lambda share, clock: GradientLimit(share, clock=clock),
}


def make_limiter(name: str, share: int, clock: Callable[[], float]) -> ConcurrencyLimit:
    """The limiter of this name, or a ValueError that lists the names there are."""
    factory = LIMITERS.get(name)
    if factory is None:
        raise ValueError(f"limiter: must be one of {', '.join(LIMITERS)}, not {name!r}")
    return factory(share, clock)
