"""What one process counts of its work, and what it comes to for each flag."""

from itertools import repeat
from time import thread_time

import pytest

from monitoring.arm_counts import ArmCounts
from monitoring.arms import Work
from tests.arms.made import work


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def counts(clock: Clock | None = None) -> ArmCounts:
    return ArmCounts("worker", process="host:1", clock=clock or Clock(), wall=lambda: 1_000.0)


def test_a_piece_of_work_counts_for_each_flag_that_was_decided_of_it() -> None:
    of = counts()
    of.count((("a", "on"), ("b", "x")), [0.125, 0.25], failed=1)
    of.count((("a", "on"), ("b", "y")), [0.5])
    assert of.told().flags == {
        "a": {"on": work([0.125, 0.25, 0.5], failed=1)},
        "b": {"x": work([0.125, 0.25], failed=1), "y": work([0.5])},
    }


def test_what_was_told_once_is_told_again_with_what_came_after() -> None:
    of = counts()
    for _ in range(3):
        of.count((("a", "on"),), [0.1])
        of.told()
    assert of.told().flags["a"]["on"].units == 3


def test_what_holds_is_told_where_nothing_was_done_under_it() -> None:
    of = counts(clock := Clock())
    of.decide({"a": "on"}, 12)
    clock.now += 7
    told = of.told()
    assert told.flags == {"a": {"on": Work()}}
    assert (told.holds, told.revision, told.started_at, told.up_s) == ({"a": "on"}, 12, 1_000.0, 7)
    assert (told.process, told.kind) == ("host:1", "worker")


@pytest.mark.parametrize("took", [0.0, 1e-9, 20e-6, 64.0, 10_000.0])
def test_whatever_a_unit_takes_it_has_its_bucket(took: float) -> None:
    of = counts()
    of.count((("a", "on"),), [took])
    assert sum(of.told().flags["a"]["on"].buckets) == 1


def test_an_item_costs_less_than_a_microsecond_however_many_flags_there_are() -> None:
    """0.25 µs by `tests.bench.bench_arms`; by flag it would be twenty times that."""
    of, took = counts(), [0.004, 0.007, 0.011, 0.2] * 25
    decided = tuple((f"flag.{number}", "on") for number in range(24))

    def best_of(times: int) -> float:
        found = []
        for _ in repeat(None, times):
            began = thread_time()
            for _ in repeat(None, 20):
                of.count(decided, took)
            found.append((thread_time() - began) / 20 / len(took))
        return min(found)

    assert best_of(30) < 1e-6
    assert of.told().flags["flag.7"]["on"].units == 30 * 20 * len(took)
