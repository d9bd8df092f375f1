"""What a rollout finds, in words: from the noise that was seen, before that from simulation."""

from collections.abc import Mapping
from typing import Any, Final

from console.rollouts.models import Rollout
from console.rollouts.records import WINDOW_S

# Twice as much, or all of the units.
_BLIND: Final = 1.0
# tests/rollouts/test_statistics.py holds these.
_OF_ITEMS = (
    "With 100 treated items a second in two processes or more, whose times vary by 60 % among "
    "themselves, items that take 30 % longer are taken back within two windows in 9 of 10; where "
    "they vary by 180 %, it takes a stage four times as large, or an effect twice as large."
)
_OF_PROCESSES = (
    "Two processes that do the same differ by 15 % here by themselves: with one process an arm "
    "only what takes three times as long is told from that, with four an arm what takes 60 % "
    "longer. Failures are told as of items. By items, where the flag allows it, more is found."
)


def words(rollout: Rollout) -> str:
    """For pages, beside the guards."""
    told = [one for one in rollout.numbers if one.get("finds") is not None]
    if not told:
        return _OF_PROCESSES if rollout.unit == "process" else _OF_ITEMS
    blind = ", ".join(one["metric"] for one in told if one["finds"] > _BLIND)
    found = ", ".join(f"{one['metric']} {_shown(one)}" for one in told if one["finds"] <= _BLIND)
    if not found:
        return (
            f"Too noisy now: no window of {WINDOW_S:g} s would find even twice as much in {blind}. "
            "It is not raised like this; what it does is seen by a person only."
        )
    also = f" Too noisy now to find even twice as much: {blind}." if blind else ""
    return (
        f"As noisy as it is, a window of {WINDOW_S:g} s finds in 19 of 20: {found}. Two in a row "
        "take it back; what is less shows in the whole of the stage, or not at all."
        f"{also}"
    )


def _shown(one: Mapping[str, Any]) -> str:
    unit = "points" if one["metric"] == "error_share" else "%"
    return f"{one['finds'] * 100:+.2g} {unit}"
