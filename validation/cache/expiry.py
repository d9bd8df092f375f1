"""When L1 gives back the room of what has expired. Neither way ever gives out what has."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from validation.cache.l1 import L1

type Expiry = Literal["lazy", "sweep"]


class Expiring(Protocol):
    @property
    def name(self) -> Expiry: ...

    def tick(self, l1: "L1", now: float) -> None:
        """What is due beside the path of an item."""
        ...


class Lazy:
    """When it is asked for, or evicted."""

    name: Final = "lazy"

    def __init__(self, _sweep_s: float) -> None:
        """Nothing is ever due."""

    def tick(self, l1: "L1", now: float) -> None:
        """As said above."""


class Sweep:
    """The baseline: also by walking all entries, at once and then every `sweep_s`."""

    name: Final = "sweep"

    def __init__(self, sweep_s: float) -> None:
        self._sweep_s = sweep_s
        self._next = float("-inf")

    def tick(self, l1: "L1", now: float) -> None:
        if now >= self._next:
            self._next = now + self._sweep_s
            l1.sweep()


EXPIRIES: Final[dict[str, Callable[[float], Expiring]]] = {"lazy": Lazy, "sweep": Sweep}
