"""The numbers of processes: lowest free first, given back, taken over from who is silent."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.db.models.functions import Now

from validation import wiring
from validation.models import Slot
from validation.slots import _LOCK, BEAT_S, LEASE_S, Slots, Standing, rank


@pytest.fixture
def connect(transactional_db: None) -> Iterator[Callable[[], psycopg.Connection[Any]]]:
    opened: list[psycopg.Connection[Any]] = []

    def new() -> psycopg.Connection[Any]:
        opened.append(wiring.connect())
        return opened[-1]

    yield new
    for connection in opened:
        connection.close()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_the_lowest_free_number_is_taken_and_kept(
    connect: Callable[[], psycopg.Connection[Any]],
) -> None:
    connection, clock = connect(), Clock()
    one, two, three = (Slots("worker", name, clock=clock) for name in ("a", "b", "c"))
    for slots in (one, two, three):
        assert slots.beat(connection)
    assert [slots.standing and slots.standing.number for slots in (one, two, three)] == [0, 1, 2]

    two.release(connection)
    clock.now += BEAT_S
    assert one.beat(connection)  # somebody went
    assert one.standing == Standing(number=0, living=(0, 2))
    again = Slots("worker", "d", clock=clock)
    again.beat(connection)
    assert again.standing == Standing(number=1, living=(0, 1, 2))
    web = Slots("web", "a", clock=clock)
    web.beat(connection)
    assert web.standing == Standing(number=0, living=(0,))


def test_a_beat_that_is_not_due_asks_nobody(
    connect: Callable[[], psycopg.Connection[Any]],
) -> None:
    connection, clock = connect(), Clock()
    slots = Slots("worker", "a", clock=clock)
    slots.beat(connection)
    connection.close()
    assert not slots.beat(connection)
    clock.now += BEAT_S
    with pytest.raises(psycopg.OperationalError):
        slots.beat(connection)
    assert slots.standing == Standing(number=0, living=(0,))  # holds meanwhile


def test_who_is_silent_counts_no_more_and_comes_back_under_another_number(
    connect: Callable[[], psycopg.Connection[Any]],
) -> None:
    connection, clock = connect(), Clock()
    silent, other = (Slots("worker", name, clock=clock) for name in ("silent", "other"))
    silent.beat(connection)
    other.beat(connection)
    Slot.objects.filter(holder="silent").update(seen_at=Now() - timedelta(seconds=LEASE_S + 1))
    clock.now += BEAT_S
    other.beat(connection)
    assert other.standing == Standing(number=1, living=(1,))
    comes = Slots("worker", "comes", clock=clock)
    comes.beat(connection)
    assert comes.standing == Standing(number=0, living=(0, 1))
    silent.beat(connection)
    assert silent.standing == Standing(number=2, living=(0, 1, 2))


def test_processes_that_start_together_get_a_number_each(
    connect: Callable[[], psycopg.Connection[Any]],
) -> None:
    all_slots = [Slots("worker", f"w{n}") for n in range(8)]
    connections = [connect() for _ in all_slots]
    threads = [
        threading.Thread(target=slots.beat, args=(connection,))
        for slots, connection in zip(all_slots, connections, strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [slots.standing.number for slots in all_slots if slots.standing is not None]
    assert sorted(numbers) == list(range(8))


def test_who_keeps_the_numbers_to_itself_keeps_nobody_from_work(
    connect: Callable[[], psycopg.Connection[Any]],
) -> None:
    """A process that was frozen while it took one, its connection open."""
    frozen, connection, clock = connect(), connect(), Clock()
    kept, new = Slots("worker", "kept", clock=clock), Slots("worker", "new", clock=clock)
    kept.beat(connection)
    clock.now += BEAT_S
    with frozen.transaction():
        frozen.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
        frozen.execute("SELECT FROM validation_slot FOR UPDATE")
        for slots in (new, kept):  # each ends; without a bound they would wait for ever
            assert not slots.beat(connection)
        assert (new.standing, kept.standing) == (None, Standing(number=0, living=(0,)))
    assert not new.beat(connection), "not before its next beat"
    clock.now += BEAT_S
    for slots in (new, kept):
        slots.beat(connection)
    assert (new.standing, kept.standing) == (
        Standing(number=1, living=(0, 1)),
        Standing(number=0, living=(0, 1)),
    )


def test_ranks_are_a_permutation_and_differ_from_flag_to_flag() -> None:
    living = (0, 1, 3, 4, 7)
    orders = set()
    for n in range(20):
        ranks = [rank(f"flag.{n}", slot, living) for slot in living]
        assert sorted(ranks) == list(range(5))
        orders.add(tuple(ranks))
    assert len(orders) > 10


def test_those_that_stay_keep_their_order_when_others_go() -> None:
    before = sorted((0, 1, 2, 3), key=lambda slot: rank("a.flag", slot, (0, 1, 2, 3)))
    after = sorted((0, 1, 3), key=lambda slot: rank("a.flag", slot, (0, 1, 3)))
    assert after == [slot for slot in before if slot != 2]
