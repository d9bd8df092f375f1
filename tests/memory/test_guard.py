"""A process near its limit lets go of what it remembers, takes no work, and recovers by itself."""

import gc
from collections.abc import Callable, Iterable

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from monitoring.snapshots import MemoryReport, WorkerSnapshot
from validation.footprint import Footprint
from validation.memory import (
    DROP_AGAIN_S,
    HOPELESS_S,
    LOOK_EVERY_S,
    SPENT_S,
    Level,
    MemoryGuard,
    give_memory_back,
)

MB = 1 << 20


class World:
    """A process whose footprint a test says, and what was done about it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.seen: Footprint | None = None
        self.done: list[str] = []
        self.looks = 0
        self.on_drop: Callable[[str], None] = lambda _what: None
        self.guard = MemoryGuard(
            self._read,
            drop_half=lambda: self._do("half"),
            drop_all=lambda: self._do("all"),
            give_back=lambda _level: self._do("given back"),
            clock=lambda: self.now,
        )

    def _read(self) -> Footprint | None:
        self.looks += 1
        return self.seen

    def _do(self, what: str) -> None:
        self.done.append(what)
        self.on_drop(what)

    def at(self, percent: float, *, after_s: float = LOOK_EVERY_S, is_idle: bool = True) -> str:
        self.seen = Footprint(used=round(percent * MB), limit=100 * MB, fair=100 * MB)
        self.now += after_s
        return self.guard.tend(is_idle=is_idle)


@pytest.fixture
def world() -> World:
    return World()


def test_below_the_first_threshold_nothing_is_done(world: World) -> None:
    assert [world.at(percent) for percent in (1, 50, 84.9)] == ["ok"] * 3
    assert (world.done, world.guard.refuses) == ([], False)


def test_half_goes_first_then_all_and_then_no_work_is_taken(world: World) -> None:
    assert (world.at(85), world.guard.refuses) == ("half", False)
    assert world.done == ["half", "given back"]
    assert (world.at(95), world.guard.refuses) == ("all", True)
    assert world.done == ["half", "given back", "all", "given back"], "at once: it got worse"


def test_it_recovers_by_itself_and_not_at_the_very_edge(world: World) -> None:
    levels = [world.at(p) for p in (96, 94, 90, 89.9, 84, 80, 79.9, 84, 85)]
    assert levels == ["all", "all", "all", "half", "half", "half", "ok", "ok", "half"]


def test_what_does_not_help_is_done_again_now_and_then(world: World) -> None:
    world.at(87)
    for _ in range(3):
        world.at(87, after_s=1.0)
    assert world.done.count("half") == 1
    world.at(87, after_s=DROP_AGAIN_S)
    assert world.done.count("half") == 2
    assert world.guard.report()["drops"] == 2


def test_it_looks_no_more_often_than_it_has_to(world: World) -> None:
    world.at(10)
    for _ in range(100):
        world.at(99, after_s=LOOK_EVERY_S / 200)
    assert (world.looks, world.guard.level) == (1, "ok")
    assert world.at(99) == "all"


def test_off_nothing_is_done_and_on_again_it_looks_at_once(world: World) -> None:
    world.guard.set_use("off")
    assert (world.at(99), world.done, world.guard.refuses) == ("ok", [], False)
    world.guard.set_use("on")
    assert (world.at(99, after_s=0), world.done) == ("all", ["all", "given back"])
    world.guard.set_use("off")
    assert (world.at(99, after_s=0), world.guard.refuses, world.guard.use) == ("ok", False, "off")
    with pytest.raises(ValueError, match="none named 'maybe'; one of off, on"):
        world.guard.set_use("maybe")


def test_no_data_is_no_reason_to_refuse(world: World) -> None:
    world.at(99)
    world.seen = None
    world.now += LOOK_EVERY_S
    assert (world.guard.tend(), world.guard.refuses) == ("ok", False)
    assert world.guard.report()["used_bytes"] is None


def test_a_loop_without_a_turn_is_no_failure_and_it_is_tried_again(world: World) -> None:
    def busy(what: str) -> None:
        if what == "all":
            raise TimeoutError

    world.on_drop = busy
    assert world.at(96) == "all"
    assert world.done == ["all", "given back"]
    world.at(96, after_s=DROP_AGAIN_S)
    assert world.done.count("all") == 2


def test_where_nothing_helps_for_long_it_says_so(world: World) -> None:
    said = []
    for percent, after_s in ((40, 1), (99, 1), (92, HOPELESS_S - 1), (92, 1), (50, 1)):
        world.at(percent, after_s=after_s)
        said.append(world.guard.is_hopeless)
    assert said == [False, False, False, True, False]


def test_the_time_of_a_chunk_at_hand_does_not_count(world: World) -> None:
    world.at(40)
    world.at(99, is_idle=False)
    world.at(99, after_s=HOPELESS_S, is_idle=False)
    world.at(99)
    assert not world.guard.is_hopeless, "it has just begun to wait"
    world.at(99, after_s=HOPELESS_S)
    assert world.guard.is_hopeless


@pytest.mark.parametrize(
    ("began", "used", "fair", "helps"),
    [(40, 96, 100, True), (60, 96, 100, False), (40, 96, 200, False), (10, 96, 200, False)],
    ids=["it grew", "it did not double", "it has less than its half", "nor here"],
)
def test_a_new_process_is_no_help_where_others_took_the_memory(
    world: World, began: int, used: int, fair: int, helps: bool
) -> None:
    """It refuses, says so, and stays: a new one would find no more."""
    world.at(began)
    for _ in range(3):
        world.now += HOPELESS_S
        world.seen = Footprint(used=used * MB, limit=used * MB, fair=fair * MB)
        world.guard.tend(is_idle=True)
    assert world.guard.refuses
    assert world.guard.is_hopeless == helps


@pytest.mark.parametrize(
    ("began", "helps"),
    [(60, True), (85, False)],
    ids=["room to begin with", "the limit is too low"],
)
def test_past_its_own_limit_it_is_replaced_soon_and_not_for_ever(
    world: World, began: int, helps: bool
) -> None:
    def at(used: int, after_s: float) -> bool:
        world.now += after_s
        world.seen = Footprint(used=used * MB, limit=100 * MB, fair=100 * MB, is_own=True)
        world.guard.tend(is_idle=True)
        return world.guard.is_hopeless

    said = [at(began, 1), at(97, 1), at(97, SPENT_S - 0.1), at(97, 0.1), at(50, 1)]
    assert said == [False, False, False, helps, False]
    assert world.guard.report()["own_limit"] is True


def test_a_look_that_fails_is_said_once_and_leaves_the_level(world: World) -> None:
    def no_room(_what: str) -> None:
        raise MemoryError("no room for the look itself")

    world.on_drop = no_room
    with structlog.testing.capture_logs() as lines:
        levels = [world.at(96, after_s=DROP_AGAIN_S) for _ in range(3)]
    assert levels == ["all"] * 3
    assert [line["event"] for line in lines] == ["memory.level", "memory.not_looked_after"]
    world.on_drop = lambda _what: None
    assert world.at(10) == "ok"


def test_what_went_is_seen_again_and_counted(world: World) -> None:
    def frees(_what: str) -> None:
        world.seen = Footprint(used=30 * MB, limit=100 * MB)

    world.on_drop = frees
    world.at(86)
    report = world.guard.report()
    assert (report["used_bytes"], report["freed_bytes"]) == (30 * MB, 56 * MB)


def test_each_change_is_one_line_in_the_log(world: World) -> None:
    with structlog.testing.capture_logs() as lines:
        for percent in (50, 86, 86, 97, 97, 40, 40):
            world.at(percent)
    told = [(line["before"], line["level"], line["takes_work"]) for line in lines]
    assert told == [("ok", "half", True), ("half", "all", False), ("all", "ok", True)]
    assert [line["log_level"] for line in lines] == ["warning", "warning", "info"]
    assert (lines[0]["used_bytes"], lines[0]["limit_bytes"]) == (86 * MB, 100 * MB)


def test_its_report_goes_into_a_snapshot_and_out_again(world: World) -> None:
    world.at(96)
    report = MemoryReport(**world.guard.report())
    assert (report.level, report.refuses, report.limit_bytes) == ("all", True, 100 * MB)
    snapshot = WorkerSnapshot(
        id="h:1", host="h", pid=1, started_at=0.0, busy=False, run=None, items_done=0,
        chunks_done=0, rate=0.0, rss_bytes=1, memory=report,
    )  # fmt: skip
    body = msgspec.json.encode(snapshot)
    assert msgspec.json.decode(body, type=WorkerSnapshot).memory == report
    older = msgspec.json.decode(body)
    del older["memory"]
    assert msgspec.convert(older, WorkerSnapshot).memory is None


@given(st.lists(st.floats(0, 120)))
def test_whatever_is_seen_it_refuses_where_it_is_full_and_never_where_there_is_room(
    shares: Iterable[float],
) -> None:
    world = World()
    for percent in shares:
        level = world.at(percent)
        if percent >= 95.1:
            assert level == "all"
        if percent < 79.9:
            assert level == "ok"
        if percent < 89.9:
            assert not world.guard.refuses
        assert (level == "all") == world.guard.refuses


@pytest.mark.parametrize(("level", "collects"), [("half", False), ("all", True)])
def test_garbage_is_collected_only_where_no_work_is_taken(
    monkeypatch: pytest.MonkeyPatch, level: Level, collects: bool
) -> None:
    """It stops the loop, and with it every item at hand, for a third of a second."""
    collected: list[bool] = []
    monkeypatch.setattr(gc, "collect", lambda: collected.append(True))
    give_memory_back(level)
    assert bool(collected) == collects
