"""The miss-ratio curve: near what L1 really does at that size, in bounded memory, cheap to feed."""

import pytest

from tests.bench.traces import with_scans, zipf
from tests.cache.entries import Clock, entry, key
from validation.cache.curve import MissRatioCurve
from validation.cache.l1 import L1, L1Config


def lru_hit_rate(trace: list[bytes], entries: int) -> float:
    config = L1Config(policy="lru", max_entries=entries, max_bytes=1 << 40)
    cache = L1(config, clock=Clock())
    for name in trace:
        if cache.get(name) is None:
            cache.put(name, entry())
    return cache.counters.hits / len(trace)


def curve_of(trace: list[bytes], max_keys: int = 4_096) -> MissRatioCurve:
    seen = 0
    curve = MissRatioCurve(max_keys=max_keys, lookups=lambda: seen)
    for name in trace:
        seen += 1
        curve.touch(name)
    return curve


TRACES = {
    "zipf": zipf(50_000, 200_000),
    "scans": with_scans(zipf(20_000, 100_000), every=5_000, length=2_000),
    "few keys": zipf(3_000, 60_000),
}


@pytest.mark.parametrize("name", sorted(TRACES))
def test_it_foretells_the_hit_rate_of_other_sizes(name: str) -> None:
    trace = TRACES[name]
    curve = curve_of(trace)
    for size in (1_000, 3_000, 10_000):
        foretold = curve.hit_rate(size)
        assert foretold is not None
        assert foretold == pytest.approx(lru_hit_rate(trace, size), abs=0.06)


def test_a_cycle_is_answered_from_its_own_size_on_and_not_before() -> None:
    curve = curve_of([key(n % 4_000) for n in range(80_000)])
    below, above = curve.hit_rate(3_000), curve.hit_rate(5_000)
    assert below is not None
    assert above is not None
    assert below < 0.1
    assert above > 0.85


def test_more_room_never_answers_less() -> None:
    points = curve_of(TRACES["scans"]).points()
    assert [size for size, _ in points] == sorted({size for size, _ in points})
    rates = [rate for _, rate in points]
    assert rates == sorted(rates)
    assert all(0 <= rate <= 1 for rate in rates)


def test_too_little_traffic_says_nothing() -> None:
    curve = MissRatioCurve()
    assert curve.points() == []
    assert curve.hit_rate(1_000) is None
    for number in range(100):
        curve.touch(key(number))
    assert curve.points() == []


def test_memory_is_bounded_however_many_keys_come() -> None:
    curve = MissRatioCurve(max_keys=256)
    for number in range(300_000):
        curve.touch(key(number))
    assert len(curve._last) == len(curve._ticks) <= 256
    assert curve.rate < 0.01
    assert curve.sampled < 300_000 / 50
    assert curve.hit_rate(10_000) == 0


def test_it_follows_traffic_that_changes() -> None:
    curve = MissRatioCurve(memory=1_000)
    for number in range(60_000):
        curve.touch(key(number % 2_000))
    before = curve.hit_rate(3_000)
    for number in range(60_000):
        curve.touch(b"never again %d" % number)
    after = curve.hit_rate(3_000)
    assert before is not None
    assert after is not None
    assert before > 0.9
    assert after < 0.1
