"""The thread that tells."""

import threading

import pytest
import redis

from monitoring import processes, valkey
from monitoring.models import Incarnation
from monitoring.samples import Sample
from tests.fleet import wait_until
from tests.monitoring.conftest import Process, shared, value

pytestmark = pytest.mark.django_db(transaction=True)


def test_each_second_until_it_stops_and_then_for_good() -> None:
    process = Process("web")
    process.publisher.start()
    wait_until(lambda: bool(processes.told()), within_s=10, what="the first word")
    process.done.inc(4)
    wait_until(lambda: shared(processes.told()[0].counters) == 4, within_s=10, what="the next")
    [word] = processes.told()
    assert word.live
    assert word.kind == "web"
    assert value(word.counters, "switchyard_process_cpu_seconds_total", process="web") > 0
    assert value(word.gauges, "switchyard_process_resident_memory_bytes", process="web") > 2**20
    process.publisher.stop()
    assert processes.told() == []
    [row] = Incarnation.objects.all()
    assert (row.id, row.kind, row.ended) == (word.incarnation, "web", True)
    assert "publisher" not in {thread.name for thread in threading.enumerate()}


def test_it_goes_on_when_the_cache_server_comes_back(request: pytest.FixtureRequest) -> None:
    process = Process()
    process.done.inc()
    process.publisher.start()
    wait_until(lambda: bool(processes.told()), within_s=10, what="the first word")
    valkey.client().flushdb()
    wait_until(lambda: bool(processes.told()), within_s=10, what="it tells again")
    assert shared(processes.told()[0].counters) == 1
    process.publisher.stop()


def test_a_word_that_nobody_hears_says_so_to_the_caller_alone(no_valkey: None) -> None:
    process = Process()
    with pytest.raises(redis.RedisError):
        process.publisher.tell()
    process.publisher.start()  # its thread does not end of it
    process.publisher.stop()
    assert Incarnation.objects.count() == 1


def test_what_others_registered_is_told() -> None:
    process = Process()
    process.publisher._probes.register("pool", lambda: [Sample("pool_used", {}, 4)])
    process.publisher.tell()
    [word] = processes.told()
    assert value(word.gauges, "pool_used") == 4
