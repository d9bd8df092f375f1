"""Clocks of machines are compared, not how long somebody took to look."""

import time

import pytest

from console.capacity.clocks import Apart, compare
from monitoring import clocks, processes
from monitoring.clocks import ClockReading
from monitoring.processes import ProcessSnapshot
from monitoring.publisher import Publisher


def process(host: str, ahead_s: float, within_s: float = 0.01, pid: int = 1) -> ProcessSnapshot:
    return ProcessSnapshot(
        incarnation=f"{host}:{pid}:1", kind="web", sequence=1,
        clock=ClockReading(ahead_s=ahead_s, within_s=within_s),
    )  # fmt: skip


def compared(*told: ProcessSnapshot) -> Apart:
    found = compare(told)
    assert found is not None
    return found


def test_machines_that_agree_hold_and_say_how_surely() -> None:
    found = compared(process("a", 0.2), process("b", -0.1))
    assert found.holds is True
    assert found.words == "The clocks of a and b are 0.30 s apart, known to within 0.02 s."


def test_the_machine_that_is_wrong_is_named() -> None:
    found = compared(process("a", 0.0), process("b", 30.0), process("c", 0.1))
    assert found.holds is False
    assert "b" in found.names
    assert compared(process("a", 2.1)).names == ("a", "the cache server")


@pytest.mark.parametrize("took_s", [0.5, 4.0, 60.0])
def test_one_machine_is_never_broken_by_load(took_s: float) -> None:
    """The answer was on its way for `took_s`, all of it there or all of it back: the worst."""
    for ahead_s in (took_s / 2, -took_s / 2):
        assert compared(process("a", ahead_s, within_s=took_s / 2)).holds is not False


def test_what_is_too_vague_to_judge_is_no_data() -> None:
    found = compared(process("a", 1.0, within_s=3.0))
    assert found.holds is None
    assert "too vague" in found.words


def test_the_surest_reading_of_a_machine_counts() -> None:
    busy, calm = process("a", 3.0, within_s=4.0), process("a", 0.1, pid=2)
    assert compared(busy, calm).apart_s == 0.1


def test_where_nobody_tells_of_a_clock_nothing_is_known() -> None:
    silent = ProcessSnapshot(incarnation="a:1:1", kind="web", sequence=1)
    assert compare([silent]) is None
    assert compare([]) is None


@pytest.mark.usefixtures("empty_cache")
def test_a_wrong_clock_is_read_as_wrong_by_what_it_is() -> None:
    found = clocks.read(wall=lambda: time.time() + 30.0)
    assert abs(found.ahead_s - 30.0) <= found.within_s + 0.01
    slow = iter([0.0, 5.0])
    assert clocks.read(steady=lambda: next(slow)).within_s == 2.5


@pytest.mark.usefixtures("empty_cache")
def test_a_process_tells_of_its_clock_with_each_word() -> None:
    Publisher("web").tell()
    [told] = processes.told()
    assert told.clock is not None
    assert abs(told.clock.ahead_s) <= told.clock.within_s + 0.01
    assert compared(told).holds is True
