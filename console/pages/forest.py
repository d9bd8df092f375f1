"""Intervals under each other on one axis: where each goes, in percent of the width there is."""

from collections.abc import Iterable
from dataclasses import dataclass

from console.pages.figures import signed

_PADDING = 0.06
_TICKS = (1.0, 2.0, 5.0, 10.0)
_MOST_TICKS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """One row's drawing. `low` and `high` None: a point alone. `shade`: "claimed", "measured",
    "earlier" or "noise".
    """

    shade: str
    at: float
    low: float | None
    high: float | None
    zero: float
    least: float
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """Of all lanes of one claim. `scale` is the claim's: "ratio" or "difference"; `least` with the
    sign of its direction.
    """

    low: float
    high: float
    least: float
    scale: str

    @classmethod
    def over(cls, values: Iterable[float], *, least: float, scale: str) -> "Axis":
        """Wide enough for `values`, for nothing, and for the least that is worth having."""
        found = [0.0, least, *values]
        low, high = min(found), max(found)
        room = (high - low) * _PADDING
        return cls(low=low - room, high=high + room, least=least, scale=scale)

    def at(self, value: float) -> float:
        return 100 * (value - self.low) / (self.high - self.low)

    def lane(
        self, shade: str, estimate: float, low: float | None = None, high: float | None = None
    ) -> Lane:
        said = signed(estimate, self.scale)
        if low is not None and high is not None:
            said += f", between {signed(low, self.scale)} and {signed(high, self.scale)}"
        return Lane(
            shade=shade,
            at=self.at(estimate),
            low=None if low is None else self.at(low),
            high=None if high is None else self.at(high),
            zero=self.at(0.0),
            least=self.at(self.least),
            said=said,
        )

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Round values and where they stand; nothing, which is 0, is among them."""
        step = self._step()
        first, last = int(-(-self.low // step)), int(self.high // step)
        values = (number * step for number in range(first, last + 1))
        return tuple((self.at(value), signed(value, self.scale)) for value in values)

    def _step(self) -> float:
        wide = (self.high - self.low) / _MOST_TICKS
        power = 10.0 ** _exponent(wide)
        return next(power * tick for tick in _TICKS if power * tick >= wide)


def _exponent(value: float) -> int:
    """Of the power of ten that is not above it."""
    return int(f"{value:e}".partition("e")[2])
