from typing import Any

import msgspec
import pytest
import redis
from django.conf import settings

from monitoring import events, processes, snapshots, valkey


def snapshot(worker: str = "host:1", **changed: Any) -> snapshots.WorkerSnapshot:
    fields: dict[str, Any] = {
        "id": worker, "host": "host", "pid": 1, "started_at": 0.0, "busy": False, "run": None,
        "items_done": 5, "chunks_done": 1, "rate": 2.5, "rss_bytes": 1,
    }  # fmt: skip
    return snapshots.WorkerSnapshot(**(fields | changed))


def age(worker: str, seconds: int) -> None:
    """What so many silent seconds do: the key's life is what ages are read from."""
    key = f"switchyard:worker:{worker}"
    valkey.client().expire(key, 600 - seconds)


def listed() -> list[snapshots.WorkerSnapshot]:
    found = snapshots.workers()
    assert found is not None
    return found


def test_a_worker_that_reports_is_up() -> None:
    snapshots.publish(snapshot(items_done=7))
    [worker] = listed()
    assert (worker.state, worker.items_done) == ("up", 7)
    assert worker.age_s < 5
    assert snapshots.live_count() == 1


@pytest.mark.parametrize(("seconds", "state"), [(3, "up"), (8, "stale"), (60, "gone")])
def test_silence_turns_up_into_stale_and_gone(seconds: int, state: str) -> None:
    snapshots.publish(snapshot())
    age("host:1", seconds)
    assert [worker.state for worker in listed()] == [state]


def test_a_worker_that_stopped_in_order_is_not_listed() -> None:
    snapshots.publish(snapshot())
    snapshots.retire("host:1")
    assert listed() == []


def test_those_up_come_first() -> None:
    for worker in ("host:1", "host:2"):
        snapshots.publish(snapshot(worker))
    age("host:1", 60)
    assert [worker.id for worker in listed()] == ["host:2", "host:1"]


def test_nobody_to_ask_is_not_an_empty_list(no_valkey: None) -> None:
    assert snapshots.workers() is None
    assert snapshots.live_count() is None
    with pytest.raises(redis.RedisError):
        snapshots.publish(snapshot())


@pytest.mark.parametrize("index", ["switchyard:workers", "switchyard:processes"])
def test_rubbish_in_the_place_of_what_is_told_is_nobodys_word_and_is_replaced(index: str) -> None:
    raw = redis.Redis.from_url(settings.REDIS_URL)
    told = processes.ProcessSnapshot(incarnation="host:1:1", kind="web", sequence=1)
    snapshots.publish(snapshot())
    processes.publish(told)
    raw.sadd(index, b"\xff\xfe\x00", "host:listed")
    raw.rpush("switchyard:worker:host:listed", "a list")
    raw.rpush("switchyard:process:host:listed", "a list")
    raw.set("switchyard:worker:host:2", b"\x8f\xff" * 50, ex=60)
    raw.sadd("switchyard:workers", "host:2")
    assert [worker.id for worker in listed()] == ["host:1"]
    assert [process.incarnation for process in processes.told()] == ["host:1:1"]
    raw.delete(index)
    raw.zadd(index, {"host:1": 1.0})
    snapshots.publish(snapshot())
    processes.publish(told)
    assert [worker.id for worker in listed()] == ["host:1"]
    assert [process.incarnation for process in processes.told()] == ["host:1:1"]
    raw.close()


def test_a_follower_hears_each_nudge_after_it_began_once() -> None:
    events.publish("before")
    follower = events.follow(lambda: False)
    assert next(follower) == set()
    events.publish("run:1", "run:2", "run:1")
    assert next(follower) == {"run:1", "run:2"}
    follower.close()


def test_publishing_to_nobody_does_not_raise(no_valkey: None) -> None:
    events.publish("run:1")


def test_the_living_are_counted_by_the_life_of_their_keys_alone() -> None:
    for number in range(3):
        snapshots.publish(snapshot(f"host:{number}"))
    valkey.client().set("switchyard:worker:host:0", "not a snapshot", keepttl=True)
    age("host:1", 8)
    valkey.client().delete("switchyard:worker:host:2")
    assert snapshots.live_count() == 1


def said(**changed: Any) -> bytes:
    """A snapshot as some other release writes it."""
    fields = msgspec.to_builtins(snapshot()) | changed
    return msgspec.json.encode({k: v for k, v in fields.items() if v is not ...})


def tell(body: bytes) -> None:
    snapshots.publish(snapshot())
    valkey.client().set("switchyard:worker:host:1", body, ex=600)


def test_an_older_release_said_less_and_a_newer_one_says_more() -> None:
    tell(said(breakers=..., pools=..., cache=..., acknowledged=..., mood="good"))
    [worker] = listed()
    assert (worker.items_done, worker.breakers, worker.cache) == (5, (), None)


def test_a_field_of_another_shape_costs_that_field_alone() -> None:
    tell(said(breakers=[{"name": "l2"}], head=7))
    [worker] = listed()
    assert (worker.breakers, worker.head, worker.items_done) == ((), 7, 5)


@pytest.mark.parametrize("body", [b"rubbish", b"[]", said(pid="seven"), said(busy=...)])
def test_one_that_cannot_be_read_hides_no_other(body: bytes) -> None:
    tell(body)
    snapshots.publish(snapshot("host:2"))
    assert [worker.id for worker in listed()] == ["host:2"]
