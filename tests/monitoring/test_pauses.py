"""Stops for garbage and late timers: counted, the worst of late kept, forgotten again."""

import asyncio
import gc

import pytest

from monitoring.loop_lag import EVERY_S, LoopLag
from monitoring.pauses import GcPauses, Worst


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_the_worst_of_late_is_kept_and_forgotten() -> None:
    clock = Clock()
    worst = Worst(clock)
    worst.add(0.3)
    worst.add(0.1)
    seen = []
    for _ in range(4):
        seen.append(worst.value)
        clock.now += 7.0
    assert seen == [0.3, 0.3, 0.3, 0.0]


def test_what_was_long_ago_is_not_of_late() -> None:
    clock = Clock()
    worst = Worst(clock)
    worst.add(0.3)
    clock.now += 3_600.0
    assert worst.value == 0.0
    worst.add(0.2)
    assert worst.value == 0.2


def test_who_reads_while_another_adds_takes_nothing_away() -> None:
    clock = Clock()
    reads: list[float] = []

    def asked() -> float:
        # The publisher reads between two steps of whoever adds.
        if clock.now == 110.0 and not reads:
            reads.append(0.0)
            reads.append(worst.value)
        return clock.now

    worst = Worst(asked)
    worst.add(0.3)
    clock.now = 110.0
    worst.add(0.1)
    assert (reads[1], worst.value) == (0.3, 0.3)
    clock.now = 119.0
    assert worst.value == 0.3
    clock.now = 121.0
    assert worst.value == 0.1


def test_collections_are_counted_and_timed_until_it_ends() -> None:
    pauses = GcPauses()
    before = len(gc.callbacks)
    pauses.begin()
    pauses.begin()
    assert len(gc.callbacks) == before + 1
    gc.collect()
    assert pauses.collections >= 1
    assert 0 < pauses.worst.value <= pauses.seconds
    pauses.end()
    counted = pauses.collections
    gc.collect()
    assert pauses.collections == counted
    assert len(gc.callbacks) == before


def figures(lag: LoopLag) -> dict[str, float]:
    return {s.name.removeprefix("switchyard_process_"): s.value for s in lag.samples()}


async def test_a_loop_that_is_busy_is_late() -> None:
    clock = Clock()
    lag = LoopLag("web", clock=clock)
    assert lag.samples() == ()
    lag.begin()
    try:
        clock.now += EVERY_S + 0.4
        # It hangs, and has not been able to say so.
        assert figures(lag)["event_loop_lag_seconds"] == pytest.approx(0.4)
        for _ in range(100):
            await asyncio.sleep(EVERY_S / 10)
            if "pending_tasks" in figures(lag):
                break
        found = figures(lag)
        assert found["event_loop_lag_seconds"] == pytest.approx(0.4)
        assert found["pending_tasks"] >= 1
        assert lag.samples()[0].labels == {"process": "web"}
    finally:
        lag.end()
    assert lag.samples() == ()
