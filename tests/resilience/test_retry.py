"""Retries: later each time, never sooner than asked for, and bounded by what fresh calls earn."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.resilience import Backoff, RetryBudget


@given(st.integers(1, 2000), st.one_of(st.none(), st.floats(0, 100)), st.randoms())
def test_a_delay_stays_under_its_ceiling_and_above_what_was_asked(
    attempts: int, asked_s: float | None, random: Random
) -> None:
    delay_s = Backoff(base_s=0.1, cap_s=2.0, random=random).delay_s(attempts, asked_s)
    ceiling = min(2.0, 0.1 * 2 ** min(attempts - 1, 16))
    assert (asked_s or 0.0) <= delay_s <= (asked_s or 0.0) + ceiling


@given(st.lists(st.one_of(st.integers(1, 50), st.integers(-50, -1))))
def test_retries_never_exceed_the_burst_and_the_share_of_fresh_calls(steps: list[int]) -> None:
    budget = RetryBudget(ratio=0.2, burst=10)
    fresh = retried = 0
    for step in steps:
        if step > 0:
            fresh += step
            budget.earn(step)
        elif budget.spend(-step):
            retried -= step
        assert 0 <= budget.tokens <= 10
        assert retried <= 10 + 0.2 * fresh + 1e-6


def test_what_cannot_be_paid_whole_is_not_taken_at_all() -> None:
    budget = RetryBudget(ratio=0.1, burst=5)
    assert not budget.spend(6)
    assert budget.tokens == pytest.approx(5)
    assert budget.spend(5)
    assert not budget.spend(1)
