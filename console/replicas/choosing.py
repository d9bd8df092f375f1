"""Which replica a request reads from: one chooser for each variant of `db.replica_routing`."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from console.replicas.watch import Watched

type Choose = Callable[[Sequence[Watched]], Watched | None]
"""From those that may be read from, in any order; None: from the primary."""


def off(_usable: Sequence[Watched]) -> None:
    return None


def weighted(usable: Sequence[Watched]) -> Watched | None:
    """Each request by itself: over many they have their shares, and nothing is kept in step."""
    if not usable:
        return None
    return random.choices(usable, [one.weight for one in usable])[0]  # noqa: S311 - no secret


def nearest(usable: Sequence[Watched]) -> Watched | None:
    """That which answered the last look soonest; those that are as near share by weight."""
    known = [(one.round_trip_ms, one) for one in usable if one.round_trip_ms is not None]
    if not known:
        return weighted(usable)
    least = min(took for took, _ in known)
    return weighted([one for took, one in known if took <= _AS_NEAR * least + _NOISE_MS])


# Within a place round trips differ by noise, between places by milliseconds.
_AS_NEAR: Final = 1.5
_NOISE_MS: Final = 1.0

CHOICES: Final[Mapping[str, Choose]] = {"off": off, "weighted": weighted, "nearest": nearest}
