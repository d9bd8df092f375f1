"""Every process that lives, by what it said; what it does not tell is not known."""

import pytest
import redis

from monitoring import processes
from monitoring.collectors import processes as collector
from monitoring.collectors.processes import ProcessesSample
from monitoring.history import figures
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample


def tell(name: str, kind: str, **gauges: float) -> None:
    samples = tuple(
        Sample(f"switchyard_process_{gauge}", {"process": kind}, value)
        for gauge, value in gauges.items()
    )
    other = Sample("switchyard_pool_waiting", {"pool": "db.primary"}, 3)
    said = ProcessSnapshot(incarnation=name, kind=kind, sequence=1, gauges=(*samples, other))
    processes.publish(said)


def test_what_each_said_by_kind() -> None:
    tell("rack-4:12:1", "worker", resident_memory_bytes=90e6, open_fds=40, max_fds=1_024)
    tell("rack:4:11:1", "web", event_loop_lag_seconds=0.02, cpu_ratio=0.4, of_tomorrow=1)
    web, worker = collector.collect().processes
    assert (web.id, web.kind, web.loop_lag_s, web.cpu) == ("rack:4:11", "web", 0.02, 0.4)
    assert (web.rss_bytes, web.fds_share) == (None, None)
    assert (worker.id, worker.rss_bytes) == ("rack-4:12", 90e6)
    assert worker.fds_share == 40 / 1_024
    assert 0 <= worker.age_s < 5


def test_who_said_its_last_word_is_none_of_them() -> None:
    processes.publish(ProcessSnapshot(incarnation="h:1:1", kind="web", sequence=9, final=True))
    assert collector.collect() == ProcessesSample(processes=())


def test_nobody_to_ask_is_a_failure(no_valkey: None) -> None:
    with pytest.raises(redis.RedisError):
        collector.collect()


def test_of_the_history_sums_and_the_worst_and_nothing_that_is_not_known() -> None:
    tell("h:1:1", "worker", resident_memory_bytes=90e6, event_loop_lag_seconds=0.1)
    tell("h:2:1", "worker", resident_memory_bytes=80e6, event_loop_lag_seconds=0.3)
    tell("h:3:1", "beat", resident_memory_bytes=70e6)
    found = {one.name: one.value for one in figures.of_processes(collector.collect())}
    assert found == {
        "processes.worker.rss_bytes": 170e6,
        "processes.worker.loop_lag_s": 0.3,
        "processes.beat.rss_bytes": 70e6,
        "processes.memory_bytes": 240e6,
        "processes.largest_bytes": 90e6,
        "processes.loop_lag_s": 0.3,
    }


def test_of_all_together_only_what_each_of_them_tells() -> None:
    tell("h:1:1", "worker", resident_memory_bytes=90e6, proportional_memory_bytes=50e6)
    tell("h:2:1", "web", resident_memory_bytes=80e6, gc_pause_worst_seconds=0.02)
    found = {one.name: one.value for one in figures.of_processes(collector.collect())}
    # What is shared is counted once where it is known.
    assert found["processes.memory_bytes"] == 130e6
    assert found["processes.gc_pause_s"] == 0.02
    tell("h:3:1", "beat", cpu_ratio=0.5)
    found = {one.name: one.value for one in figures.of_processes(collector.collect())}
    assert "processes.memory_bytes" not in found
    # Of processors of another machine nothing is known.
    assert "processes.cpu_of_machine" not in found


def test_how_busy_this_machine_is_where_all_are_on_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitoring.history.figures.socket.gethostname", lambda: "h")
    monkeypatch.setattr("monitoring.history.figures.os.cpu_count", lambda: 4)
    tell("h:1:1", "worker", cpu_ratio=0.9)
    tell("h:2:1", "web", cpu_ratio=0.3)
    found = {one.name: one.value for one in figures.of_processes(collector.collect())}
    assert found["processes.cpu_of_machine"] == pytest.approx(0.3)
