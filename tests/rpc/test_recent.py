"""Percentiles of the last minute: near enough, forgotten in time, and never larger."""

import random

import pytest

from validation.rpc.recent import RecentTimes


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_percentiles_are_told_to_a_fifth() -> None:
    times = RecentTimes(Clock())
    seen = sorted(random.Random(7).lognormvariate(-4, 1) for _ in range(5000))
    for seconds in seen:
        times.add(seconds)
    told = times.quantiles(0.5, 0.95, 0.99)
    assert told is not None
    for share, seconds in zip((0.5, 0.95, 0.99), told, strict=True):
        assert seconds == pytest.approx(seen[int(5000 * share)], rel=0.2)


def test_what_is_older_than_a_minute_is_forgotten_by_reading_alone() -> None:
    clock = Clock()
    times = RecentTimes(clock)
    times.add(0.1, 3)
    clock.now += 49
    times.add(0.2)
    assert times.count() == 4
    clock.now += 11
    assert times.count() == 1
    clock.now += 60
    assert times.quantiles(0.5) is None


def test_a_quiet_hour_leaves_nothing_of_the_slot_that_is_used_again() -> None:
    clock = Clock()
    times = RecentTimes(clock)
    times.add(5.0, 100)
    clock.now += 3600
    times.add(0.001)
    told = times.quantiles(0.99)
    assert told is not None
    assert told[0] < 0.002


@pytest.mark.parametrize("seconds", [0.0, 1e-9, 1e-5, 119.0, 1e6])
def test_every_time_has_its_place(seconds: float) -> None:
    times = RecentTimes(Clock())
    times.add(seconds)
    told = times.quantiles(0.5)
    assert told is not None
    assert 0 < told[0] < 200


def test_a_million_times_take_the_room_of_one() -> None:
    clock = Clock()
    times = RecentTimes(clock)
    times.add(0.1)
    size = sum(len(slot) for slot in times._slots)
    for n in range(10_000):
        times.add(n / 1000, 100)
        clock.now += 0.1
    assert sum(len(slot) for slot in times._slots) == size
