"""What is taken of the words of processes: each unit once, and what is missing by name."""

from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from console.rollouts import comparing, looking, records
from console.rollouts.models import Rollout
from console.rollouts.recording import take
from console.rollouts.records import Record, Sums, Total, Way
from console.rollouts.untold import IDLE_S
from monitoring.arms import Told
from tests.rollouts.made_up import MadeUp
from validation.engine import CHUNK_S

WAY = Way(flag="cache.codec", target="zstd", rest="base64", fleet="worker", share=5, least_units=20)


def units(record: Record) -> int:
    return sum(one.treated.units + one.untreated.units for one in record.slices)


def test_what_a_late_leader_read_before_another_one_is_counted_once() -> None:
    fleet = MadeUp()
    early, at_s = fleet.work(), fleet.now_s
    record = take(Record(begun_s=at_s), WAY, early, at_s).record
    late = fleet.work()
    before = units(record)
    newest = take(record, WAY, fleet.work(), fleet.now_s).record
    done = units(newest)
    assert done > before
    # Its word is of a second before: it adds nothing, and nothing is held against it later.
    held_up = take(newest, WAY, late, fleet.now_s + 0.5).record
    assert units(held_up) == done
    once = take(newest, WAY, fleet.work(), fleet.now_s).record
    assert units(take(held_up, WAY, fleet.told(), fleet.now_s).record) == units(once)


def test_a_process_that_the_late_leader_had_not_heard_of_is_not_taken_for_a_new_one() -> None:
    fleet = MadeUp(silent=frozenset({"host:3"}))
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    late = fleet.work()
    fleet.silent = frozenset()
    newest = take(record, WAY, fleet.work(), fleet.now_s).record
    held_up = take(newest, WAY, late, fleet.now_s + 0.5).record
    assert {one.arms.process for one in held_up.before} == {f"host:{n}" for n in range(4)}


def test_no_chunk_takes_as_long_as_an_idle_arm_is_waited_for() -> None:
    assert IDLE_S > CHUNK_S


def test_noise_beyond_all_numbers_is_not_known_and_not_a_defect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def overflows(*_: object, **__: object) -> None:
        raise OverflowError

    monkeypatch.setattr(comparing, "compare", overflows)
    fleet = MadeUp()
    told = fleet.work()
    seen = looking.look(a_row(), told, fleet.now_s).seen
    assert (seen.last, seen.total) == ("unknown", "unknown")


def test_what_was_good_for_an_hour_and_slow_of_late_is_not_good_lately() -> None:
    good, slow = Sums(9_000, 0, 90.0, 9_000, 0, 90.0), Sums(100, 0, 1.3, 100, 0, 1.0)
    total = Total(blocks=(good, good, *[slow] * 5), block_s=4.0, filled_s=4.0)
    row = a_row()
    lately = records.lately(Record(total=total), row.bake_s)
    assert (lately.treated_units, lately.untreated_units) == (500, 500)
    row.record = records.pack(Record(total=total))
    seen = looking.look(row, (), 1000.0).seen
    assert not seen.leans
    assert "mean_s +30%" in seen.leans_lately


def a_row() -> Rollout:
    return Rollout(
        flag=WAY.flag, target=WAY.target, rest=WAY.rest, fleet="worker", unit="item", stage=5,
        bake_s=20, least_units=20, guards=[{"metric": "mean_s", "most": 0.1}],
    )  # fmt: skip


def test_items_of_a_chunk_that_began_before_the_stage_are_compared_with_nothing() -> None:
    """It has one arm, and a time of its own: what it took says nothing of the other arm."""
    fleet = MadeUp(share=0, mean_s=0.1)
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    record = take(record, WAY, fleet.work(), fleet.now_s).record
    assert units(record) == 0
    assert all(one.arms.flags[WAY.flag][WAY.rest].units for one in record.before)
    fleet.share = 5
    assert units(take(record, WAY, fleet.work(), fleet.now_s).record) > 0


def test_chunks_that_began_before_the_stage_are_not_missed_and_what_follows_them_is() -> None:
    """Each process ends a chunk of a minute, at its own time; it was split as of before."""
    fleet = MadeUp(processes=2, share=0, busy=frozenset({0, 1}))
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    said = []

    def second(ends: int | None, share: float) -> None:
        nonlocal record
        fleet.busy, fleet.share = frozenset({0, 1} - {ends}), share
        taken = take(record, WAY, fleet.work(), fleet.now_s)
        record = taken.record
        said.append(taken.missing)

    for at in range(80):
        second({20: 0, 60: 1}.get(at), 0)
        if at == 30:
            second(0, WAY.share or 0)
    assert not any(said)
    # Now both are of the stage, and what has the target is never told.
    second(0, 0)
    assert said[-1].startswith("0 units with zstd were told where ")


def born(told: Sequence[Told], name: str, *, ago_s: float) -> tuple[Told, ...]:
    """Others in their places, who began so long ago."""
    return tuple(
        replace(
            one,
            arms=replace(one.arms, process=f"{one.arms.process} {name}", up_s=ago_s - one.age_s),
        )
        for one in told
    )


def test_processes_that_die_of_the_target_before_they_end_a_chunk_are_missed() -> None:
    """Every twenty seconds others begin in their places, and none tells of an item."""
    fleet = MadeUp(processes=2, busy=frozenset({0, 1}))
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    said = []
    for at in range(130):
        told = born(fleet.work(), f"life {at // 20}", ago_s=at % 20 + 1.0)
        taken = take(record, WAY, told, fleet.now_s)
        record = taken.record
        said.append(taken.missing)
    assert not any(said[:90])
    assert all(said[115:])
    assert said[-1].startswith("No chunk of this stage has ended for 131 s, and 2 of 2 processes")


def test_a_fleet_that_rests_and_whose_children_were_replaced_is_not_missed() -> None:
    """A child is replaced when its chunk has ended; then there is nothing to do for long."""
    fleet = MadeUp(processes=2, busy=frozenset({0, 1}))
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    fleet.busy = frozenset()
    for _ in range(20):
        record = take(record, WAY, fleet.work(), fleet.now_s).record
    fleet.busy = frozenset({0, 1})
    for at in range(1, 200):
        taken = take(record, WAY, born(fleet.work(), "after it", ago_s=at), fleet.now_s)
        record = taken.record
        assert not taken.missing


def test_the_first_chunk_of_a_process_that_began_on_the_stage_is_of_it() -> None:
    fleet = MadeUp(processes=2, share=0, busy=frozenset({0, 1}))
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(3), fleet.now_s).record
    for _ in range(3):
        record = take(record, WAY, fleet.work(3), fleet.now_s).record
    record = take(record, WAY, born(fleet.work(), "new", ago_s=1), fleet.now_s).record
    fleet.busy = frozenset()
    record = take(record, WAY, born(fleet.work(), "new", ago_s=2), fleet.now_s).record
    assert sum(one.told[1] for one in record.slices) > 0


def test_a_window_is_as_long_as_its_least_units_take() -> None:
    """A chunk every six seconds: each window has one."""
    fleet = MadeUp(processes=1, rate=400)
    record = take(Record(begun_s=fleet.now_s), WAY, fleet.work(), fleet.now_s).record
    for second in range(30):
        fleet.busy = frozenset() if second % 6 == 0 else frozenset({0})
        record = take(record, WAY, fleet.work(), fleet.now_s).record
    found = records.windows(record, least_units=10)
    assert len(found) == 2
    assert [sum(one.treated.units > 0 for one in window) for window in found] == [1, 1]
    assert len(record.slices) < 20
