"""Where a claim's marks stand in its plot: nothing, worth having, claimed, measured.

Every claim's plot has nothing and the claimed change at the same places, and the claimed direction
to the right: one glance down a column says which intervals reach.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.experiments.claims import Claim

NOTHING: Final = 22.0
CLAIMED: Final = 68.0
# Of a claim without a figure: where the least that is worth having stands.
_LEAST: Final = 45.0
_EDGES: Final = (1.5, 98.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """In percent of the width. `claimed` None: the source names no figure. `at` None: nothing was
    measured. `beyond`: which ends go on outside.
    """

    least: float
    claimed: float | None
    low: float | None = None
    at: float | None = None
    high: float | None = None
    beyond: tuple[bool, bool] = (False, False)
    verdict: str = ""
    said: str = ""


def of(claim: Claim, effect: Mapping[str, Any] | None, verdict: str, said: str) -> Interval:
    """`effect`: as an experiment keeps it."""
    towards = -1.0 if claim.direction == "less" else 1.0
    unit = _unit(claim)
    claimed = None if claim.expected is None else CLAIMED
    least = _place(claim.least, unit)
    if effect is None:
        return Interval(least=least, claimed=claimed, said=said)
    low, at, high = sorted(
        _place(towards * effect[name], unit) for name in ("low", "estimate", "high")
    )
    return Interval(
        least=least,
        claimed=claimed,
        low=_inside(low),
        at=_inside(at),
        high=_inside(high),
        beyond=(low < _EDGES[0], high > _EDGES[1]),
        verdict=verdict,
        said=said,
    )


def _unit(claim: Claim) -> float:
    """How much one percent of the width is worth."""
    if claim.expected is not None:
        return abs(claim.expected) / (CLAIMED - NOTHING)
    return claim.least / (_LEAST - NOTHING)


def _place(gain: float, unit: float) -> float:
    return NOTHING + gain / unit


def _inside(place: float) -> float:
    return min(max(place, _EDGES[0]), _EDGES[1])
