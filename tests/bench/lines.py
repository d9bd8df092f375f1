"""How a benchmark measures and prints: interleaved rounds, medians, ours beside its peers."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

ROUNDS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    name: str
    value: float
    unit: str


def interleaved(
    measured: Mapping[str, Callable[[], float]], *, rounds: int = ROUNDS
) -> dict[str, float]:
    """Each callable returns one figure; rounds go A B A B, so that a slow minute hits all alike."""
    found: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, measure in measured.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def show(what: str, figures: Mapping[str, float], *, unit: str, goal: str) -> None:
    """One line a measurement: ours first, then each peer or floor with its ratio to ours."""
    (ours_name, ours), *others = figures.items()
    parts = [f"{ours_name} {ours:,.4g} {unit}"]
    parts += [f"{name} {value:,.4g} (×{value / ours:,.2f})" for name, value in others]
    print(f"{what}: {'; '.join(parts)}  [goal: {goal}]", flush=True)
