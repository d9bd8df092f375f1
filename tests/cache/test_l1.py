"""L1: what expires, what is refused, and what an operator may change while it runs."""

import pytest

from tests.cache.entries import Clock, entry, key
from validation.cache.l1 import L1, OVERHEAD, L1Config
from validation.cache.policies import POLICIES


def filled(policy: str = "sieve", entries: int = 10, clock: Clock | None = None) -> L1:
    cache = L1(L1Config(policy=policy, max_entries=entries), clock=clock or Clock())
    for number in range(entries):
        cache.put(key(number), entry(number))
    return cache


def test_the_default_policy_is_one_that_exists() -> None:
    assert L1Config().policy in POLICIES


def test_an_expired_entry_is_never_given_out() -> None:
    clock = Clock()
    cache = L1(L1Config(), clock=clock)
    cache.put(b"k", entry(expires_at=clock.now + 5))
    clock.now += 4.999
    assert cache.get(b"k") is not None
    clock.now += 0.001
    assert b"k" not in cache
    assert cache.get(b"k") is None
    counters = cache.counters
    assert (counters.hits, counters.misses, counters.expired) == (1, 1, 1)


def test_lazy_expiry_gives_room_back_when_asked() -> None:
    clock = Clock()
    cache = L1(L1Config(expiry="lazy"), clock=clock)
    cache.put(b"k", entry(expires_at=clock.now + 5))
    clock.now += 3_600
    cache.put(b"other", entry())
    assert len(cache) == 2
    cache.get(b"k")
    assert len(cache) == 1
    assert cache.bytes == 100 + OVERHEAD


def test_the_periodic_sweep_gives_room_back_unasked() -> None:
    clock = Clock()
    cache = L1(L1Config(expiry="sweep", sweep_s=60), clock=clock)
    cache.tick()
    cache.put(b"k", entry(expires_at=clock.now + 5))
    clock.now += 59
    cache.put(b"early", entry())
    cache.tick()
    assert len(cache) == 2
    clock.now += 1
    cache.tick()
    cache.put(b"late", entry())
    assert set(cache) == {b"early", b"late"}
    assert cache.counters.expired == 1


def test_expiry_is_switched_while_it_runs() -> None:
    clock = Clock()
    cache = L1(L1Config(expiry="lazy", sweep_s=60), clock=clock)
    cache.put(b"k", entry(expires_at=clock.now + 5))
    clock.now += 6
    cache.put(b"other", entry())
    cache.tick()
    assert len(cache) == 2
    cache.expire_by("sweep")
    cache.tick()
    assert list(cache) == [b"other"]
    cache.expire_by("lazy")
    cache.put(b"k", entry(expires_at=clock.now + 5))
    clock.now += 3_600
    cache.tick()
    assert len(cache) == 2


def test_an_entry_of_more_than_an_eighth_is_refused_and_what_it_replaces_is_gone() -> None:
    cache = L1(L1Config(max_bytes=80_000), clock=Clock())
    cache.put(b"k", entry("old"))
    cache.put(b"other", entry())
    cache.put(b"k", entry("new", size=10_000))
    assert cache.get(b"k") is None
    assert cache.get(b"other") is not None
    assert cache.counters.refused == 1


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_bytes_are_a_bound_as_entries_are(policy: str) -> None:
    room = 10 * (1_000 + OVERHEAD)
    cache = L1(L1Config(policy=policy, max_entries=1_000, max_bytes=room), clock=Clock())
    for number in range(50):
        cache.put(key(number), entry(size=1_000))
        assert cache.bytes <= room
    assert len(cache) == 10
    assert cache.counters.evicted == 40


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_shrinking_takes_effect_at_once_and_growing_keeps_everything(policy: str) -> None:
    cache = filled(policy)
    cache.resize(max_entries=4)
    assert len(cache) == 4
    cache.resize(max_entries=100, max_bytes=1 << 20)
    assert len(cache) == 4
    for number in range(100, 196):
        cache.put(key(number), entry())
    assert len(cache) == 100


@pytest.mark.parametrize("after", sorted(POLICIES))
@pytest.mark.parametrize("before", sorted(POLICIES))
def test_policies_are_exchanged_live_and_keep_the_entries(before: str, after: str) -> None:
    cache = filled(before)
    kept = {number: cache.get(key(number)) for number in range(10)}
    cache.switch(after)
    assert {number: cache.get(key(number)) for number in range(10)} == kept
    for number in range(100, 140):
        cache.put(key(number), entry())
    assert len(cache) == 10


def test_an_unknown_policy_changes_nothing() -> None:
    cache = filled("lru")
    with pytest.raises(KeyError):
        cache.switch("clairvoyant")
    assert cache.policy == "lru"
    assert len(cache) == 10


def test_a_tag_drops_what_carries_it_and_nothing_else() -> None:
    cache = L1(L1Config(), clock=Clock())
    cache.put(b"a", entry(tags=("block:1", "tx")))
    cache.put(b"b", entry(tags=("block:1",)))
    cache.put(b"c", entry(tags=("block:2", "tx")))
    assert cache.drop_tag("block:1") == 2
    assert list(cache) == [b"c"]
    assert cache.drop_tag("block:1") == 0
    assert cache.drop_tag("tx") == 1


def test_tags_of_what_left_in_other_ways_are_forgotten() -> None:
    clock = Clock()
    cache = L1(L1Config(max_entries=2), clock=clock)
    cache.put(b"expired", entry(tags=("t",), expires_at=clock.now))
    cache.get(b"expired")
    cache.put(b"dropped", entry(tags=("t",)))
    cache.drop(b"dropped")
    cache.put(b"replaced", entry(tags=("t",)))
    cache.put(b"replaced", entry(tags=("u",)))
    for number in range(5):
        cache.put(key(number), entry(tags=("t",)))
    cache.clear()
    assert cache.drop_tag("t") == 0
    assert not cache._tags
