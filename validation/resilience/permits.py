"""What lets one call pass a breaker."""

from collections.abc import Callable
from typing import Final

NEVER: Final = float("-inf")
FOREVER: Final = float("inf")


class Permit:
    """One call may pass. Settle it once, or cancel it: a second time does nothing.

    A permit may be open: before `ends`, by the breaker's clock, a good call faster than `slow_s` is
    counted by `keep(duration_s)` alone, which is what makes good calls cheap.
    """

    __slots__ = ()

    ends: float = NEVER
    slow_s: float
    keep: Callable[[float], None]

    def cancel(self) -> None:
        """Gives it back without an outcome."""


BYSTANDER: Final = Permit()
"""Passes only because the breaker must not act: counted in its window, decides nothing."""
UNSEEN: Final = Permit()
"""Passes a disabled breaker: not even counted."""
