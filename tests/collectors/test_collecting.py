"""Who collects, what is published, and what is kept: once a slot, whoever else tries."""

import threading
import time
from collections.abc import Callable, Iterator

import psycopg
import pytest
from django.db import connection
from django.test import override_settings

from console import collecting
from monitoring.collecting import Collected, Collector
from monitoring.collectors import told
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.questions import QUESTION_S, questions
from monitoring.collectors.valkey import ValkeySample
from monitoring.history.figures import Figure
from monitoring.history.lease import HELD_S, LOOK_S, Lease
from tests import empty_world, made_up_fleet
from tests.collectors.conftest import WITHIN_S
from tests.services import CLUSTER

pytestmark = pytest.mark.django_db(transaction=True)

# Who asks again does it so long after the other's time at most.
BEHIND_S = 0.6

type Make = Callable[..., Collector]


@pytest.fixture(autouse=True)
def nobody_collects() -> Iterator[None]:
    empty_world.begin()
    yield
    empty_world.begin()


def a_collector(name: str = "one", **more: object) -> Collector:
    return Collector(name, queue="a-queue-of-tests", **more)  # type: ignore[arg-type]


def kept() -> dict[str, float]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.name, p.value FROM monitoring_point_10s p"
            " JOIN monitoring_series s ON s.id = p.series"
        )
        return dict(cursor.fetchall())


def slots() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT at) FROM monitoring_point_10s")
        (number,) = cursor.fetchone() or (0,)
    return int(number)


def test_one_turn_publishes_and_keeps() -> None:
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(3))
    turn = a_collector(more=[lambda: [Figure(name="chunks.ready", value=7.0)]]).turn()
    assert turn.elected
    assert {outcome.source for outcome in turn.outcomes} == {
        "postgres", "valkey", "broker", "processes", "celery",
    }  # fmt: skip
    assert [outcome.failure for outcome in turn.outcomes] == [""] * 5
    postgres = told.read("postgres", PostgresSample)
    assert postgres.sample is not None
    assert postgres.age_s is not None
    assert postgres.age_s < 5
    assert told.read("valkey", ValkeySample).sample is not None
    assert told.read("celery", CelerySample).sample is not None
    found = kept()
    assert turn.written == len(found) > 20
    assert (found["workers.up"], found["chunks.ready"], found["postgres.up"]) == (3.0, 7.0, 1.0)
    assert found["breakers.open"] >= 1
    assert found["postgres.connections"] >= 1


def test_one_collects_and_the_others_do_not() -> None:
    first, second = a_collector("one"), a_collector("two")
    assert first.turn().elected is True
    assert second.turn() == Collected(elected=False)
    assert first.turn().elected is True


def test_many_at_once_keep_each_slot_once() -> None:
    turns: list[Collected] = []
    start = threading.Barrier(4)

    def run(name: str) -> None:
        collector = a_collector(name)
        start.wait()
        turns.append(collector.turn())
        turns.append(collector.turn())

    threads = [threading.Thread(target=run, args=[f"n{n}"]) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert len(turns) == 8
    assert sum(bool(turn.written) for turn in turns) == slots()
    assert 1 <= slots() <= 2


def test_a_slot_is_written_once_by_one_who_comes_again() -> None:
    collector = a_collector()
    turns = [collector.turn() for _ in range(3)]
    assert sum(bool(turn.written) for turn in turns) == slots()
    assert turns[0].written


def test_who_fell_silent_is_followed_and_who_stops_leaves_at_once() -> None:
    first, second = a_collector("one"), a_collector("two")
    first.turn()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_collector SET until = clock_timestamp() - interval '1s'")
    assert second.turn().elected is True
    assert first.turn().elected is False
    second.stop()
    assert first.turn().elected is True


def test_who_dies_is_followed_when_its_time_is_over_and_within_15_s() -> None:
    first, second = a_collector("one"), a_collector("two")
    first.turn()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_collector SET until = clock_timestamp() + interval '2s'")
    second.start()
    try:
        ends = time.monotonic() + 2 + WITHIN_S
        while _holder() != "two":
            assert time.monotonic() < ends
            time.sleep(0.05)
        # Its time, who asks then, and how long it looks.
        assert HELD_S + BEHIND_S + QUESTION_S < 15
    finally:
        second.stop()


def test_who_loses_knows_when_to_ask_again() -> None:
    with questions() as on:
        one, two = Lease("one"), Lease("two")
        assert one.claim(on)
        assert two.claim(on) is None
        assert HELD_S - 2 < two.left_s <= HELD_S
        assert LOOK_S * 2 < HELD_S, "a turn may be missed"


def _holder() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT holder FROM monitoring_collector")
        return str((cursor.fetchone() or ("",))[0])


def test_one_who_was_frozen_writes_nothing_after_another_took_over() -> None:
    with questions() as on:
        frozen, other = Lease("frozen"), Lease("other")
        turn = frozen.claim(on)
        assert turn is not None
        with connection.cursor() as cursor:
            cursor.execute("UPDATE monitoring_collector SET until = 'epoch'")
        assert other.claim(on) is not None
        with on.transaction(writes=True) as writing:
            assert not frozen.keep(writing, turn)


def test_while_postgres_is_away_its_failure_is_published_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    collector = a_collector()
    assert collector.turn().elected
    with monkeypatch.context() as patch:
        patch.setitem(connection.settings_dict, "HOST", "/nowhere")
        turn = collector.turn()
    assert (turn.elected, turn.written) == (None, 0)
    found = told.read("postgres", PostgresSample)
    assert found.sample is not None
    assert found.failure == "It cannot be reached, or the connection was cut."
    assert told.read("celery", CelerySample).failure == ""
    assert collector.turn().elected
    assert told.read("postgres", PostgresSample).failure == ""


def test_a_broker_that_is_away_is_a_figure_and_stops_nothing() -> None:
    with override_settings(CELERY_BROKER_URL="redis://127.0.0.1:1/0"):
        turn = a_collector().turn()
    assert turn.elected
    found = kept()
    assert (found["broker.up"], found["celery.up"], found["valkey.up"]) == (0.0, 0.0, 1.0)
    assert "celery.length" not in found


def test_figures_of_those_above_that_are_ill_are_a_gap() -> None:
    def ill() -> list[Figure]:
        raise ConnectionError

    turn = a_collector(more=[ill, lambda: [Figure(name="chunks.ready", value=1.0)]]).turn()
    assert turn.written
    assert kept()["chunks.ready"] == 1.0


def test_a_process_that_begins_collects_by_itself_and_leaves_its_place_when_it_ends() -> None:
    end = collecting.begin("web")
    try:
        ends = time.monotonic() + WITHIN_S
        while not slots():
            assert time.monotonic() < ends
            time.sleep(0.05)
    finally:
        end()
    assert told.read("postgres", PostgresSample).sample is not None
    assert a_collector("another").turn().elected


@override_settings(COLLECT=False)
def test_a_process_that_does_not_offer_looks_at_nothing() -> None:
    before = threading.active_count()
    end = collecting.begin("web")
    assert threading.active_count() == before
    end()


def test_the_one_who_collects_misses_no_turn_because_others_ask_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A crowded machine may hold up who has the lock for longer than anybody waits for it.
    monkeypatch.setattr("monitoring.collectors.questions._LOCK_MS", 60_000)
    monkeypatch.setattr("monitoring.collectors.questions.QUESTION_S", 60.0)
    look_s = 120
    holder = Lease("holder")
    stop = threading.Event()
    taken: list[str] = []

    def ask(name: str) -> None:
        with questions(look_s=look_s) as on:
            while not stop.is_set():
                if Lease(name).claim(on):
                    taken.append(name)

    with questions(look_s=look_s) as on:
        assert holder.claim(on)
        threads = [threading.Thread(target=ask, args=[f"n{n}"]) for n in range(3)]
        for thread in threads:
            thread.start()
        try:
            assert all(holder.claim(on) for _ in range(200))
        finally:
            stop.set()
            for thread in threads:
                thread.join(timeout=WITHIN_S)
    assert taken == []


def test_a_table_that_somebody_locks_is_a_gap_in_its_own_figures() -> None:
    url = CLUSTER.postgres.url_of(str(connection.settings_dict["NAME"]))
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE validation_chunk, monitoring_incarnation")
        started = time.monotonic()
        turn = a_collector(more=[collecting._chunks]).turn()
        assert time.monotonic() - started < 5
    assert turn.written
    found = kept()
    assert found["postgres.up"] == 1.0
    assert "chunks.ready" not in found
    assert "validations.all" not in found
