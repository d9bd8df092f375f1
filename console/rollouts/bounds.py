"""What may be wanted of a rollout: stages, bakes and guards, each within its bounds."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from console.controls.errors import Refused
from console.flags.standing import ALL
from console.rollouts.comparing import METRICS, Guard
from console.rollouts.records import WINDOW_S

STAGES: Final = (5, 25, 50, ALL)
MOST_STAGES: Final = 20
BAKE_S: Final = 600
# Two windows and the turns between: what is bad shows before the stage is raised.
SHORTEST_BAKE_S: Final = int(3 * WINDOW_S)
LONGEST_BAKE_S: Final = 14 * 86_400
LEAST_UNITS: Final = 100
FEWEST_UNITS, MOST_UNITS = 20, 1_000_000
GUARDS: Final = (
    Guard(metric="error_share", most=0.01),
    Guard(metric="mean_s", most=0.10),
    Guard(metric="p95_s", most=0.20),
)
_LOOSEST: Final = 10.0


def stages_of(stages: Sequence[object], above: int) -> tuple[int, ...]:
    """Rising, and above where the flag stands."""
    found = []
    for stage in stages:
        if isinstance(stage, bool) or not isinstance(stage, int) or not above < stage <= ALL:
            expected = f"a whole percent from {above + 1} to {ALL}, above the one before it"
            raise Refused("stages", stage, expected)
        found.append(stage)
        above = stage
    if not 0 < len(found) <= MOST_STAGES:
        raise Refused("stages", len(found), f"a list of 1 to {MOST_STAGES} stages")
    return tuple(found)


def bake_of(bake_s: object) -> int:
    expected = f"a whole number of seconds from {SHORTEST_BAKE_S} to {LONGEST_BAKE_S}"
    return _whole("bake_s", bake_s, SHORTEST_BAKE_S, LONGEST_BAKE_S, expected)


def least_of(units: object) -> int:
    expected = f"a whole number of units from {FEWEST_UNITS} to {MOST_UNITS}"
    return _whole("least_units", units, FEWEST_UNITS, MOST_UNITS, expected)


def guards_of(guards: Sequence[Mapping[str, Any]]) -> tuple[Guard, ...]:
    """At least one, and each metric once."""
    found: dict[str, Guard] = {}
    for one in guards:
        if not isinstance(one, Mapping) or set(one) != {"metric", "most"}:
            raise Refused("guards", str(one), "an object of metric and most")
        metric, most = one["metric"], one["most"]
        if metric not in METRICS or metric in found:
            raise Refused("guards.metric", metric, f"one of {', '.join(METRICS)}, each once")
        number = isinstance(most, int | float) and not isinstance(most, bool)
        if not number or not 0 <= most <= _LOOSEST:
            raise Refused("guards.most", most, f"a number from 0 to {_LOOSEST:g}")
        found[metric] = Guard(metric=metric, most=float(most))
    if not found:
        raise Refused("guards", "none", "one guard or more: without, nothing is guarded")
    return tuple(found.values())


def _whole(field: str, value: object, low: int, high: int, expected: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise Refused(field, value, expected)
    return value
