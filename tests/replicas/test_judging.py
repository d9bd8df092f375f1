"""Out at the first sign, back after three good looks, and said why."""

import pytest

from console.replicas.judging import BACK_AFTER, Heard, Judgement
from console.replicas.lag import UNKNOWN, Lag


def behind(seconds: float) -> Heard:
    return Heard(lag=Lag(seconds=seconds, bytes=1))


@pytest.fixture
def used() -> Judgement:
    judgement = Judgement()
    judgement.heard(behind(0.1))
    return judgement


def test_nobody_reads_from_one_that_was_not_asked() -> None:
    assert (Judgement().in_use, Judgement().reachable) == (False, False)


def test_the_first_good_look_is_enough(used: Judgement) -> None:
    assert (used.in_use, used.why) == (True, "")


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        (behind(5.1), "It is 5.1 s behind; 5 s are allowed."),
        (Heard(lag=UNKNOWN), "How far it is behind is not known."),
        (Heard(lag=UNKNOWN, ill="It follows nobody."), "It follows nobody."),
    ],
)
def test_it_is_left_at_once(used: Judgement, heard: Heard, why: str) -> None:
    used.heard(heard)
    assert (used.in_use, used.why, used.reachable) == (False, why, True)


def test_what_is_allowed_is_allowed(used: Judgement) -> None:
    used.heard(behind(5.0))
    assert used.in_use


def test_one_that_does_not_answer_has_no_lag(used: Judgement) -> None:
    used.missed("It cannot be reached.")
    assert (used.in_use, used.reachable, used.lag) == (False, False, UNKNOWN)


def test_a_failed_read_leaves_it_before_the_next_look(used: Judgement) -> None:
    used.fail()
    assert (used.in_use, used.why) == (False, "A read from it failed.")


def test_it_is_back_after_three_good_looks_in_a_row(used: Judgement) -> None:
    used.missed("It cannot be reached.")
    for look in range(1, BACK_AFTER):
        used.heard(behind(0.1))
        assert (used.in_use, used.why) == (False, f"Well again in {look} of 3 looks.")
    # One bad look, and it begins again.
    used.heard(behind(9.0))
    for _ in range(BACK_AFTER - 1):
        used.heard(behind(0.1))
        assert not used.in_use
    used.heard(behind(0.1))
    assert (used.in_use, used.why) == (True, "")


def test_between_both_bounds_it_stays_as_it_is(used: Judgement) -> None:
    used.heard(behind(3.0))
    assert used.in_use
    used.fail()
    for _ in range(5):
        used.heard(behind(3.0))
    assert (used.in_use, used.why) == (False, "It is 3.0 s behind; it is used again at 2 s.")
