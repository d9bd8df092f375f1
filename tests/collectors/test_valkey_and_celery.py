"""The collectors of Valkey and of Celery's queue, against real servers."""

import json
from collections.abc import Iterator

import pytest
import redis
from django.conf import settings

from monitoring import valkey
from monitoring.collectors import celery
from monitoring.collectors import valkey as collector
from monitoring.collectors.outcome import look
from tests.made_up_fleet import a_worker

QUEUE = "a-queue-of-tests"


@pytest.fixture
def broker() -> Iterator[redis.Redis]:
    client = collector.connect(settings.CELERY_BROKER_URL)
    client.flushdb()
    yield client
    client.flushdb()
    client.close()


def test_hits_memory_and_clients_are_told() -> None:
    client = valkey.client()
    before = collector.collect(settings.REDIS_URL)
    client.set("known", "1", ex=60)
    client.get("known")
    client.get("unknown")
    after = collector.collect(settings.REDIS_URL)
    assert (after.hits - before.hits, after.misses - before.misses) == (1, 1)
    assert after.used_bytes > 100_000
    assert after.clients >= 1
    assert after.role == "master"
    assert after.hit_ratio is not None


_DAWDLES = "local n = 0; for i = 1, 1e7 do n = n + i end; return n"


def test_the_slow_log_shows_no_value() -> None:
    client = valkey.client()
    # Slow by itself: where all is logged, what others ask pushes it out.
    client.eval(_DAWDLES, 1, "secret-key", "secret-value")
    try:
        slow = collector.collect(settings.REDIS_URL).slow
    finally:
        client.slowlog_reset()
    assert "EVAL" in {entry.command for entry in slow}
    assert "secret" not in repr(slow)
    assert all(entry.age_s < 60 for entry in slow)


@pytest.mark.parametrize(
    ("url", "said"),
    [("redis://:password@127.0.0.1:1/0", "It cannot be reached."), ("", "It cannot be reached.")],
)
def test_a_server_that_is_away_is_an_answer(url: str, said: str) -> None:
    outcome = look("valkey", lambda: collector.collect(url))
    assert (outcome.sample, outcome.failure) == (None, said)


def test_the_queue_is_measured_from_its_oldest_message(broker: redis.Redis) -> None:
    for sent_at in (1_000.0, 1_004.0, 1_009.0):
        broker.lpush(QUEUE, json.dumps({"headers": {"sent_at": sent_at}}))
    broker.hset("unacked", "a-tag", "[]")
    broker.zadd("unacked_index", {"a-tag": 1_001.0})
    workers = [a_worker(1, busy=True), a_worker(2, busy=False)]
    sample = celery.collect(settings.CELERY_BROKER_URL, QUEUE, workers, clock=lambda: 1_010.0)
    assert (sample.length, sample.oldest_s) == (3, 10.0)
    assert (sample.unacknowledged, sample.held_s) == (1, 9.0)
    assert (sample.workers_up, sample.workers_busy, sample.workers_silent) == (2, 1, 0)


@pytest.mark.parametrize("message", ["no json", "[]", '{"headers": 3}', '{"headers": {}}'])
def test_a_message_of_somebody_else_has_no_age(broker: redis.Redis, message: str) -> None:
    broker.lpush(QUEUE, message)
    sample = celery.collect(settings.CELERY_BROKER_URL, QUEUE, None)
    assert (sample.length, sample.oldest_s, sample.workers_up) == (1, None, None)


def test_an_empty_queue_has_no_oldest(broker: redis.Redis) -> None:
    sample = celery.collect(settings.CELERY_BROKER_URL, QUEUE, [])
    assert (sample.length, sample.oldest_s, sample.held_s) == (0, None, None)


def test_a_broker_that_is_no_redis_says_so() -> None:
    outcome = look("celery", lambda: celery.collect("amqp://u:secret@h/", QUEUE, None))
    assert outcome.sample is None
    assert outcome.failure == "Its queue is told by RabbitMQ itself: see its own page."
