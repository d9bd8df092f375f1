"""A configuration that cannot be is refused, by name and value."""

from typing import Any

import pytest

from validation.resilience import WINDOWS, BreakerConfig


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"window": "ring"}, "window: must be one of time, count, list, not 'ring'"),
        ({"use": "maybe"}, "use: must be one of on, metrics_only, off, not 'maybe'"),
        ({"buckets": 0}, "buckets: must be from 1 to 1000, not 0"),
        ({"jitter": 1}, "jitter: must be from 0 to below 1, not 1"),
        ({"open_growth": 0.5}, r"open_growth: must be at least 1, not 0\.5"),
        ({"calm_s": -1}, "calm_s: must not be below 0, not -1"),
        ({"min_calls": 0}, "min_calls: must be from 1 to 10000 calls, not 0"),
        ({"min_calls": "ten"}, "min_calls: must be a number, not 'ten'"),
        ({"failure_rate": True}, "failure_rate: must be a number, not True"),
        ({"slow_s": float("inf")}, r"slow_s: must be from 0\.001 to 300 s, not inf"),
    ],
)
def test_it_says_what_is_wrong(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=f"^{told}$"):
        BreakerConfig(**wrong)


@pytest.mark.parametrize("window", sorted(WINDOWS))
def test_every_window_of_the_table_can_be_chosen(window: str) -> None:
    assert BreakerConfig(window=window).window == window
