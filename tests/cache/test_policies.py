"""Which entries stay: what each policy is for, and that none of them costs more as it ages."""

from collections import deque

import pytest

from tests.bench.traces import belady, with_scans, zipf
from tests.cache.entries import Clock, entry, key
from validation.cache.l1 import L1, L1Config
from validation.cache.policies import POLICIES


def cache_of(policy: str, entries: int) -> L1:
    return L1(L1Config(policy=policy, max_entries=entries), clock=Clock())


def hit_rate(policy: str, trace: list[bytes], entries: int) -> float:
    cache = cache_of(policy, entries)
    for name in trace:
        if cache.get(name) is None:
            cache.put(name, entry())
    return cache.counters.hits / len(trace)


def test_fifo_evicts_the_oldest_used_or_not() -> None:
    cache = cache_of("fifo", 3)
    for number in range(3):
        cache.put(key(number), entry())
    cache.get(key(0))
    cache.put(key(3), entry())
    assert list(cache) == [key(1), key(2), key(3)]


def test_lru_evicts_what_was_used_longest_ago() -> None:
    cache = cache_of("lru", 3)
    for number in range(3):
        cache.put(key(number), entry())
    cache.get(key(0))
    cache.put(key(1), entry())
    cache.put(key(3), entry())
    assert set(cache) == {key(0), key(1), key(3)}


def test_lru_is_lru() -> None:
    """Beside the obvious implementation."""
    cache = cache_of("lru", 20)
    recent: deque[bytes] = deque()
    for name in zipf(60, 3_000):
        hit = cache.get(name) is not None
        assert hit == (name in recent)
        if hit:
            recent.remove(name)
        else:
            cache.put(name, entry())
        recent.append(name)
        if len(recent) > 20:
            recent.popleft()


def test_sieve_spares_what_was_used_and_sends_newcomers_away_first() -> None:
    cache = cache_of("sieve", 3)
    for number in range(3):
        cache.put(key(number), entry())
    cache.get(key(0))
    cache.get(key(1))
    cache.put(key(3), entry())
    assert set(cache) == {key(0), key(1), key(3)}
    cache.put(key(4), entry())
    assert set(cache) == {key(0), key(1), key(4)}


def test_s3fifo_takes_what_comes_back_soon_into_the_main_queue() -> None:
    cache = cache_of("s3fifo", 10)
    for number in range(11):
        cache.put(key(number), entry())
    assert key(0) not in cache
    cache.put(key(0), entry())
    for number in range(20, 60):
        cache.put(key(number), entry())
    assert key(0) in cache


def test_tinylfu_turns_away_a_newcomer_less_wanted_than_its_victim() -> None:
    cache = cache_of("tinylfu", 100)
    for number in range(100):
        cache.put(key(number), entry())
    for _ in range(5):
        for number in range(100):
            cache.get(key(number))
    for number in range(1_000, 2_000):
        cache.put(key(number), entry())
    assert sum(key(number) in cache for number in range(100)) >= 75


@pytest.mark.parametrize("policy", ["sieve", "s3fifo", "tinylfu"])
def test_a_modern_policy_nears_the_optimum_and_resists_scans(policy: str) -> None:
    # Bounds with room: hashes, and so the sketch's collisions, are others in each process.
    even = zipf(20_000, 100_000)
    assert hit_rate(policy, even, 200) >= 0.83 * belady(even, 200)
    scanned = with_scans(even, every=1_000, length=500)
    assert hit_rate(policy, scanned, 200) >= hit_rate("lru", scanned, 200) + 0.04


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_what_was_dropped_leaves_nothing_behind(policy: str) -> None:
    """Keys that come and are dropped again, for long: no queue grows."""
    cache = cache_of(policy, 100)
    for number in range(20_000):
        cache.put(key(number), entry(tags=("all",)))
        if number % 3:
            cache.drop(key(number))
        if number % 1_000 == 0:
            cache.drop_tag("all")
    held = vars(cache._order)
    sized = [value for value in held.values() if hasattr(value, "__len__")]
    assert sized
    for value in sized:
        assert len(value) <= 201


@pytest.mark.parametrize("policy", sorted(POLICIES))
def test_an_eviction_is_quick_though_everything_else_is_hot(policy: str) -> None:
    """Second chances are counted: one eviction never goes round the whole cache."""
    cache = cache_of(policy, 5_000)
    for number in range(5_000):
        cache.put(key(number), entry())
    for _ in range(3):
        for number in range(5_000):
            cache.get(key(number))
    cache.put(key(9_999), entry())
    cooled = sum(cache._entries[name].uses < 3 for name in cache if name != key(9_999))
    assert cooled <= 64
