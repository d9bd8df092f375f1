"""The newest sample on the cache server, its age, and a failure beside it."""

from monitoring import valkey
from monitoring.collectors import told
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.outcome import Outcome

KEY = "switchyard:collected:celery"


def a_sample(length: int = 3) -> CelerySample:
    return CelerySample(
        queue="q", length=length, oldest_s=1.5, unacknowledged=0, held_s=None,
        workers_up=2, workers_busy=1, workers_silent=0,
    )  # fmt: skip


def good(length: int = 3) -> Outcome[CelerySample]:
    return Outcome(source="celery", took_s=0.01, sample=a_sample(length))


def bad() -> Outcome[CelerySample]:
    return Outcome(source="celery", took_s=1.0, sample=None, failure="It cannot be reached.")


def test_nothing_is_known_before_the_first() -> None:
    found = told.read("celery", CelerySample)
    assert (found.reachable, found.sample, found.age_s, found.failure) == (True, None, None, "")


def test_a_sample_comes_back_with_its_age() -> None:
    told.publish(good())
    valkey.client().pexpire(KEY, (told.SAMPLE_S - 42) * 1_000)
    found = told.read("celery", CelerySample)
    assert found.sample == a_sample()
    assert found.age_s is not None
    assert 42 <= found.age_s < 44


def test_a_failure_stands_beside_the_last_sample_until_the_next() -> None:
    told.publish(good())
    told.publish(bad())
    found = told.read("celery", CelerySample)
    assert (found.sample, found.failure) == (a_sample(), "It cannot be reached.")
    assert found.failure_age_s is not None
    told.publish(good(4))
    found = told.read("celery", CelerySample)
    assert (found.sample, found.failure) == (a_sample(4), "")


def test_rubbish_is_nothing() -> None:
    valkey.client().set(KEY, "rubbish", ex=60)
    assert told.read("celery", CelerySample).sample is None


def test_without_the_cache_server_nothing_is_known_and_nothing_raised(no_valkey: None) -> None:
    told.publish(good())
    assert not told.read("celery", CelerySample).reachable
