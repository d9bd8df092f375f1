"""What the sources add up is reckoned again: gains compound, hours and returns are their own."""

import pytest

from console.roadmap import compounding, costs
from console.roadmap.compounding import compound
from console.roadmap.programmes import roadmap


def test_the_headline_compounds_to_57_to_70_percent() -> None:
    found = compounding.of_programme(roadmap().programme("roadmap"))
    assert found is not None
    assert found.promised == pytest.approx((70, 95))
    assert found.added == pytest.approx((70, 95))
    assert found.compounds_to == pytest.approx((56.8, 70.25))
    assert found.is_overstated


def test_gains_act_on_what_is_left() -> None:
    assert compound([50, 50]) == pytest.approx(75)
    assert compound([]) == 0
    assert compound([100, 10]) == 100
    with pytest.raises(ValueError, match="0 to 100"):
        compound([101])


def test_one_part_or_no_promise_compounds_to_nothing() -> None:
    ids = ("io", "bottlenecks", "overlay", "fixpack")
    assert [compounding.of_programme(roadmap().programme(key)) for key in ids] == [None] * 4


def test_hours_of_the_weeks_are_added_up_beside_what_is_said() -> None:
    phases = roadmap().programme("roadmap").phase[:3]
    found = [costs.hours(roadmap(), phase) for phase in phases]
    assert [(each.said, each.added, each.unsaid) for each in found] == [
        (20, 16, 0), (32, 28, 0), (29, 33, 0),
    ]  # fmt: skip


def test_hours_that_are_not_said_are_counted_and_not_guessed() -> None:
    found = costs.hours(roadmap(), roadmap().programme("overlay").phase[0])
    assert (found.said, found.added, found.unsaid) == (None, 0, 7)


def test_returns_are_reckoned_from_their_own_numbers() -> None:
    io, bottlenecks, fixpack = costs.returns(roadmap())
    assert io.hours == 78
    assert io.spent == pytest.approx((7800, 7800))
    assert io.comes_back[0] == pytest.approx(2.236, abs=0.001)
    assert io.gains[0] == pytest.approx(1.236, abs=0.001)
    assert io.measurable == pytest.approx(0.025, abs=0.001)
    assert bottlenecks.comes_back == pytest.approx((0.2, 0.667), abs=0.001)
    assert bottlenecks.claimed == pytest.approx((5, 10))
    assert fixpack.comes_back == pytest.approx((5, 13.33), abs=0.01)


def test_memory_costs_what_was_measured_at_their_price() -> None:
    found = costs.memory(roadmap(), 1024)
    assert (found.before_mb, found.after_mb) == (5330, 2080)
    assert found.measured == pytest.approx(9.1975)


def test_memory_that_nobody_measured_costs_nothing_that_is_known() -> None:
    assert costs.memory(roadmap()).measured is None
