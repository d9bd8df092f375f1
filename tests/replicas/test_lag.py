"""Lag in time is bounded by what the primary is known to have written before; never made up."""

import pytest

from console.replicas.lag import UNKNOWN, Lag, Marks, lsn_of
from tests.replicas.clock import Clock


@pytest.fixture
def marks(clock: Clock) -> Marks:
    return Marks(clock)


@pytest.mark.parametrize(
    ("text", "number"), [("0/0", 0), ("0/16B3748", 0x16B3748), ("2/A", (2 << 32) + 10)]
)
def test_positions_are_read_as_postgres_writes_them(text: str, number: int) -> None:
    assert lsn_of(text) == number


NOON = 1_700_000_000.0


def stands(marks: Marks, clock: Clock, lsn: int) -> None:
    """The primary's clock is right; those of replicas are never asked."""
    marks.stands_at(lsn, NOON + clock.now)


def test_before_the_primary_was_asked_nothing_is_known(marks: Marks) -> None:
    assert marks.lag_of(100, NOON) == UNKNOWN


def test_one_that_has_all_is_not_behind_whenever_the_last_transaction_was(
    marks: Marks, clock: Clock
) -> None:
    """Nothing was written for an hour."""
    stands(marks, clock, 100)
    assert marks.lag_of(100, NOON - 3_600) == Lag(seconds=0.0, bytes=0)
    assert marks.lag_of(150, None) == Lag(seconds=0.0, bytes=0)


def test_after_a_long_silence_the_first_bytes_are_no_hour_of_lag(
    marks: Marks, clock: Clock
) -> None:
    stands(marks, clock, 100)
    clock.now += 5
    stands(marks, clock, 130)
    assert marks.lag_of(100, NOON - 3_600) == Lag(seconds=5.0, bytes=30)


def test_between_two_marks_the_last_commit_says_how_far(marks: Marks, clock: Clock) -> None:
    stands(marks, clock, 100)
    clock.now += 5
    stands(marks, clock, 130)
    clock.now += 1
    assert marks.lag_of(110, NOON + clock.now - 3.0) == Lag(seconds=3.0, bytes=20)


@pytest.mark.parametrize("jump_s", [-600.0, 600.0])
def test_a_clock_that_jumps_moves_it_no_further_than_the_marks(
    marks: Marks, clock: Clock, jump_s: float
) -> None:
    """Written at 5 s and not replayed, while what was there at 0 s is: behind by 20 to 25 s."""
    for _ in range(6):
        stands(marks, clock, 100 + int(clock.now))
        clock.now += 5
    found = marks.lag_of(100, NOON + clock.now - 22.0 + jump_s)
    assert found.seconds is not None
    assert 20 <= found.seconds <= 30


def test_it_grows_while_nothing_is_replayed(marks: Marks, clock: Clock) -> None:
    for _ in range(4):
        stands(marks, clock, 100 + int(clock.now))
        clock.now += 5
    stands(marks, clock, 900)
    assert marks.lag_of(100, None).seconds == 15.0
    assert marks.lag_of(110, None).seconds == 5.0


def test_one_behind_all_that_is_remembered_says_so_itself_or_nobody_does(
    marks: Marks, clock: Clock
) -> None:
    stands(marks, clock, 1_000)
    assert marks.lag_of(10, NOON + clock.now - 700) == Lag(seconds=700.0, bytes=990)
    assert marks.lag_of(10, None) == Lag(seconds=None, bytes=990)


def test_another_primary_is_measured_anew(marks: Marks, clock: Clock) -> None:
    stands(marks, clock, 1_000)
    clock.now += 5
    stands(marks, clock, 50)
    assert marks.lag_of(40, None) == Lag(seconds=None, bytes=10)
