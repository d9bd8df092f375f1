"""What a worker takes while it is asked to grow: bounded, in steps, and given back."""

import pytest

from validation.ballast import ROOM, SHARE, Ballast
from validation.footprint import Footprint

MB = 1 << 20


class Process:
    """Holds 100 MB of its own, and what the ballast took."""

    def __init__(self, *, own_limit: int = 0) -> None:
        self.is_asked = True
        self.own: int | None = 100 * MB
        self.ballast = Ballast(lambda: self.is_asked, own_limit=own_limit, read=self._used)

    def _used(self) -> int | None:
        return None if self.own is None else self.own + self.ballast.held_bytes

    def grow(self, turns: int = 20) -> float:
        """The share of its limit that it holds in the end."""
        for _ in range(turns):
            self.ballast.tend()
        used = self._used()
        assert used is not None
        return Footprint(used=used, limit=self.ballast.limit).share


def test_it_grows_step_by_step_to_where_it_is_an_alarm_and_work_goes_on() -> None:
    process = Process()
    process.ballast.tend()
    assert 0 < process.ballast.held_bytes <= 32 * MB
    assert process.grow() == pytest.approx(SHARE, abs=0.01)
    held = process.ballast.held_bytes
    assert held < ROOM
    process.grow()
    assert process.ballast.held_bytes == held


def test_what_is_let_go_elsewhere_is_taken_up() -> None:
    process = Process()
    process.grow()
    process.own = 80 * MB
    assert process.grow() == pytest.approx(SHARE, abs=0.01)


def test_a_limit_of_the_operators_stands_unless_it_is_far_away() -> None:
    near = Process(own_limit=200 * MB)
    near.grow()
    assert near.ballast.limit == 200 * MB
    far = Process(own_limit=64_000 * MB)
    far.grow()
    assert far.ballast.limit == 100 * MB + ROOM


@pytest.mark.parametrize("own", [100 * MB, None])
def test_it_gives_all_back_when_it_is_asked_no_more_or_cannot_be_measured(own: int | None) -> None:
    process = Process()
    process.grow()
    process.is_asked, process.own = own is None, own
    process.ballast.tend()
    assert (process.ballast.held_bytes, process.ballast.limit) == (0, 0)


def test_a_process_that_nobody_asks_takes_nothing() -> None:
    process = Process()
    process.is_asked = False
    process.ballast.tend()
    assert (process.ballast.held_bytes, process.ballast.limit) == (0, 0)
