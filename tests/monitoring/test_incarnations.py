"""What processes counted outlives them, once each, whatever ends and whatever comes late."""

from collections.abc import Callable

import pytest
import redis

from monitoring import incarnations, processes, valkey
from monitoring.models import Incarnation
from monitoring.tasks import fold
from monitoring.totals import Totals
from tests.monitoring.conftest import Process, pass_time, shared

pytestmark = pytest.mark.django_db(transaction=True)

_TWO_HOURS = 7_300


def counted(count: int, kind: str = "worker") -> Process:
    """A process that counted so much and told of it."""
    process = Process(kind)
    process.done.inc(count)
    process.publisher.tell()
    return process


def everything() -> float:
    """What a reader who knows nothing yet finds."""
    return shared(Totals().read().counters)


def lost() -> dict[str, int] | None:
    return Totals().read().lost


def test_processes_are_added_up_before_and_after_their_end() -> None:
    one, other = counted(3), counted(4)
    assert everything() == 7
    one.done.inc()  # not told yet: its last word tells
    one.publisher.stop()
    assert everything() == 8
    assert processes.told() != []
    other.publisher.stop()
    assert processes.told() == []
    assert everything() == 8
    assert lost() == {}


def test_folding_twice_or_late_changes_nothing() -> None:
    process = counted(3)
    early = processes.told()
    process.done.inc(2)
    process.publisher.tell()
    incarnations.sweep()
    for _ in range(2):
        incarnations.fold(early)
    assert everything() == 5
    process.publisher.stop()
    incarnations.fold(early)
    row = Incarnation.objects.get()
    assert (row.ended, row.sequence) == (True, 3)
    assert everything() == 5


def test_one_that_is_killed_leaves_what_it_told_last_and_is_said_to_be_lost() -> None:
    process = counted(3)
    process.done.inc()  # its last second
    incarnations.sweep()
    assert lost() == {}
    pass_time(31)
    incarnations.sweep()
    assert everything() == 3
    assert lost() == {"worker": 1}


def test_one_that_was_frozen_comes_back_and_is_not_lost() -> None:
    process = counted(3)
    incarnations.sweep()
    pass_time(31, process)
    incarnations.sweep()
    process.done.inc()
    process.publisher.tell()
    assert everything() == 4
    incarnations.sweep()
    assert lost() == {}


def test_who_was_told_of_a_second_ago_is_not_silent_because_valkey_was_wiped() -> None:
    process = counted(3)
    incarnations.sweep()
    valkey.client().flushdb()
    incarnations.sweep()
    assert lost() == {}
    process.publisher.tell()
    incarnations.sweep()
    assert everything() == 3


def test_the_old_are_added_up_in_one_row() -> None:
    for count in (1, 2, 3):
        counted(count).publisher.stop()
    counted(10, "web")
    incarnations.sweep()
    pass_time(_TWO_HOURS)
    incarnations.sweep()  # the web process is silent now, but not for long enough
    assert everything() == 16
    pass_time(_TWO_HOURS)
    incarnations.sweep()
    assert everything() == 16
    assert list(Incarnation.objects.filter(compacted=False).values_list("id", "ended")) == [
        (incarnations.SUM, True)
    ]
    assert lost() == {"web": 1}


def test_a_snapshot_that_comes_after_it_was_added_up_counts_nothing_twice() -> None:
    process = counted(5)
    early = processes.told()
    process.publisher.stop()
    pass_time(_TWO_HOURS)
    assert incarnations.compact() == 1
    incarnations.fold(early)
    processes.publish(early[0])
    incarnations.sweep()
    assert everything() == 5
    assert incarnations.compact() == 0


def test_a_newer_word_of_one_that_was_added_up_counts_nothing_twice() -> None:
    process = counted(5)
    incarnations.sweep()
    process.done.inc(2)
    process.publisher.tell()
    late = processes.told()
    valkey.client().flushdb()
    for _ in range(2):
        pass_time(_TWO_HOURS)
        incarnations.sweep()
    incarnations.fold(late)
    assert everything() == 5


def test_a_reader_who_knew_a_process_forgets_it_once_it_is_added_up() -> None:
    totals = Totals()
    process = counted(5)
    assert shared(totals.read().counters) == 5
    process.publisher.stop()
    assert shared(totals.read().counters) == 5
    pass_time(_TWO_HOURS)
    incarnations.sweep()
    assert shared(totals.read().counters) == 5


def test_traces_of_the_added_up_are_kept_for_a_while_only() -> None:
    counted(5).publisher.stop()
    pass_time(_TWO_HOURS)
    incarnations.compact()
    assert Incarnation.objects.filter(compacted=True).count() == 1
    pass_time(int(incarnations.TOMBSTONE_S) + 1)
    counted(1).publisher.stop()
    pass_time(_TWO_HOURS)
    incarnations.compact()
    assert Incarnation.objects.filter(compacted=True).count() == 1
    assert everything() == 6


def test_a_reader_who_slept_longer_than_traces_last_trusts_the_rows_alone() -> None:
    now = [0.0]
    totals = Totals(clock=lambda: now[0])
    process = counted(5)
    totals.read()
    process.publisher.stop()
    pass_time(_TWO_HOURS)
    incarnations.compact()
    Incarnation.objects.filter(compacted=True).delete()
    now[0] += incarnations.TOMBSTONE_S
    assert shared(totals.read().counters) == 5


def test_a_wiped_valkey_loses_no_counter_that_postgres_knows() -> None:
    running = counted(3)
    counted(4)  # killed at once
    incarnations.sweep()
    valkey.client().flushdb()
    assert everything() == 7
    running.done.inc()
    running.publisher.tell()
    assert everything() == 8


def test_the_last_word_waits_on_valkey_while_postgres_is_away(no_postgres: None) -> None:
    process = counted(3)
    process.done.inc()
    process.publisher.stop()
    [word] = processes.told()
    assert word.final
    assert word.sequence == 2


def test_the_last_word_on_valkey_is_carried_over() -> None:
    process = counted(3)
    [said] = processes.told()
    processes.publish(
        processes.ProcessSnapshot(
            incarnation=said.incarnation, kind="worker", sequence=2, counters=said.counters,
            final=True,
        )
    )  # fmt: skip
    assert everything() == 3
    incarnations.sweep()
    assert processes.told() == []
    assert everything() == 3
    pass_time(60, process)
    incarnations.sweep()
    assert lost() == {}


def test_the_dead_are_forgotten_on_valkey_once_postgres_has_them() -> None:
    counted(3)
    incarnations.sweep()
    pass_time(700)
    incarnations.sweep()
    assert processes.told() == []
    assert everything() == 3
    assert lost() == {"worker": 1}


def test_after_an_hour_of_silence_a_process_goes_on_under_another_name() -> None:
    """By then what it had told may be added up for good."""
    process = counted(3)
    incarnations.sweep()
    process.done.inc(2)
    pass_time(3_700, process)
    process.publisher.tell()
    assert everything() == 5
    assert len({snapshot.incarnation for snapshot in processes.told()}) == 2
    process.done.inc(1)
    pass_time(3_700, process)
    process.publisher.tell()
    process.done.inc(1)
    process.publisher.stop()
    assert everything() == 7
    assert Incarnation.objects.count() == 2


def test_who_could_never_tell_anything_loses_nothing_by_its_new_name(no_valkey: None) -> None:
    process = Process()
    process.done.inc(2)
    process.clock.now += 10_000
    with pytest.raises(redis.RedisError):
        process.publisher.tell()
    process.publisher.stop()
    assert sum(len(row.counters) > 0 for row in Incarnation.objects.all()) == 1
    [row] = Incarnation.objects.all()
    assert ["switchyard_rpc_shared_total", {}, 2.0] in row.counters


def test_while_valkey_is_away_nothing_falls_and_the_figures_say_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    totals = Totals()
    counted(3)
    assert shared(totals.read().counters) == 3
    with monkeypatch.context() as away:
        away.setattr(processes, "told", _raises(redis.ConnectionError()))
        reading = totals.read()
        assert shared(reading.counters) == 3
        assert reading.live is None
        assert reading.sources == {"valkey": False, "postgres": True}
        # One who has never heard Valkey knows too little: its counters would fall, and rise again.
        assert Totals().read().counters is None
    assert totals.read().sources == {"valkey": True, "postgres": True}


def test_while_postgres_is_away_nothing_falls_and_the_figures_say_so(
    request: pytest.FixtureRequest,
) -> None:
    totals = Totals()
    counted(3).publisher.stop()
    counted(4)
    assert shared(totals.read().counters) == 7
    request.getfixturevalue("no_postgres")
    reading = totals.read()
    assert shared(reading.counters) == 7
    assert (reading.lost, reading.sources["postgres"]) == (None, False)
    assert len(reading.live or ()) == 1
    assert Totals().read().counters is None


def test_beat_asks_for_a_fold_and_a_server_that_is_away_is_no_failure(
    request: pytest.FixtureRequest,
) -> None:
    counted(3)
    fold()
    assert Incarnation.objects.count() == 1
    request.getfixturevalue("no_valkey")
    fold()


def test_rubbish_on_valkey_hides_no_process() -> None:
    counted(3)
    client = valkey.client()
    for name, body in {"a": "rubbish", "b": "[]", "c": '{"incarnation":"c"}'}.items():
        client.sadd("switchyard:processes", name)
        client.set(f"switchyard:process:{name}", body, ex=processes.LIFE_S)
    client.sadd("switchyard:processes", "gone")
    assert [snapshot.kind for snapshot in processes.told()] == ["worker"]
    assert client.sismember("switchyard:processes", "gone") == 0


def test_a_snapshot_of_a_newer_release_is_read() -> None:
    process = counted(3)
    [word] = processes.told()
    key = f"switchyard:process:{word.incarnation}"
    body = valkey.client().get(key)
    valkey.client().set(key, body[:-1] + ',"mood":"good"}', keepttl=True)
    assert everything() == 3
    process.publisher.stop()


def _raises(error: Exception) -> Callable[[], None]:
    def raising() -> None:
        raise error

    return raising
