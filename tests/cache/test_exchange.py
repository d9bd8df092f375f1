"""Variants are exchanged while the cache works: nothing is lost, and the next question obeys."""

import asyncio
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cache.tiers import LONG, Clock, Source, Tiers, ask, decode, stored, until
from validation.cache import L1, L1Config, Lifetime, Made, TieredCache, Want
from validation.cache.bounds import Bounds
from validation.cache.codec import CODECS
from validation.cache.policies import POLICIES
from validation.cache.sizing import Memory
from validation.cache.variants import Variants

MB = 1 << 20
THRESHOLDS = (0, 512, 1024, 5120)
# Below every threshold, between them, and above; the last does not compress.
BODIES = (b"7" * 20, b"7" * 700, b"7" * 3_000, b"7" * 9_000, Random(1).randbytes(6_000))


async def keep(cache: TieredCache, key: bytes, body: bytes) -> None:
    async def make() -> Made:
        return Made(body, (body,), "n", LONG)

    await cache.get_or_set(key, "tx", make, lambda raws: raws[0])


async def test_whatever_one_codec_and_threshold_wrote_every_other_reads(tiers: Tiers) -> None:
    """By two processes, of which one exchanges its codec between any two entries."""
    writer, reader = await tiers.make(), await tiers.make()
    told: dict[bytes, bytes] = {}
    sizes: dict[tuple[str, int], int] = {}
    for codec in CODECS:
        for threshold in THRESHOLDS:
            writer.variants.set_codec(codec)
            writer.variants.set_threshold(threshold)
            before = 0 if writer.l2 is None else writer.l2.bytes_stored
            for body in BODIES:
                key = tiers.key(f"{codec}-{threshold}-{len(body)}")
                told[key] = body
                await keep(writer, key, body)
                assert await stored(writer, key) is not None
            assert writer.l2 is not None
            sizes[codec, threshold] = writer.l2.bytes_stored - before
    assert writer.l2 is not None
    assert set(writer.l2.codecs) == set(CODECS)
    for codec in CODECS:
        for threshold in (0, 5120):
            reader.variants.set_codec(codec)
            reader.variants.set_threshold(threshold)
            reader.l1.clear()
            wants = [Want(key, "tx", lambda raws: raws[0]) for key in told]
            hits = await reader.get_many(wants)
            assert [hit and hit.values for hit in hits] == list(told.values())
            assert {hit and hit.source for hit in hits} == {"l2"}
    for codec in ("gzip", "brotli", "zstd", "zstd-fast"):
        assert sizes[codec, 512] < sizes[codec, 1024] < sizes[codec, 5120] < sizes["none", 0]
    assert sizes["base64", 0] > sizes["none", 0]


@pytest.mark.parametrize("policy", sorted(POLICIES))
async def test_a_policy_is_exchanged_and_every_entry_stays(policy: str) -> None:
    cache = await Tiers("").make(l1=L1Config(max_entries=50))
    source = Source()
    for number in range(50):
        await ask(cache, b"%d" % number, source)
    for name in (policy, "fifo", policy):
        cache.variants.set_policy(name)
        assert (cache.variants.policy, len(cache.l1)) == (name, 50)
    assert [(await ask(cache, b"%d" % n, source)).source for n in range(50)] == ["l1"] * 50
    for number in range(50, 80):
        await ask(cache, b"%d" % number, source)
    assert len(cache.l1) == 50


async def test_the_policy_in_force_decides_who_goes() -> None:
    """Under the baseline the oldest goes however often it was used; under the others it stays."""
    gone = {}
    for policy in POLICIES:
        cache = await Tiers("").make(l1=L1Config(max_entries=20, policy="tinylfu"))
        cache.variants.set_policy(policy)
        source = Source()
        for number in range(20):
            await ask(cache, b"%d" % number, source)
        for _ in range(3):
            await ask(cache, b"0", source)
        await ask(cache, b"new", source)
        gone[policy] = b"0" not in cache.l1
    assert gone == dict.fromkeys(POLICIES, False) | {"fifo": True}


async def test_a_shorter_time_holds_for_what_is_there_and_the_longer_for_what_comes() -> None:
    clock, source = Clock(), Source()
    cache = await Tiers("").make(clock=clock, l1_ttl_s=300.0)
    await ask(cache, b"a", source)
    cache.variants.set_ttl(60)
    assert cache.variants.ttl_s == 60
    clock.ahead_s = 59
    assert (await ask(cache, b"a", source)).source == "l1"
    clock.ahead_s = 61
    assert (await ask(cache, b"a", source)).source == "node"
    cache.variants.set_ttl(0)
    assert cache.variants.ttl_s == 300
    clock.ahead_s = 122
    await ask(cache, b"a", source)
    clock.ahead_s = 122 + 299
    assert (await ask(cache, b"a", source)).source == "l1"


async def test_the_walk_over_what_expired_begins_with_the_exchange() -> None:
    clock, source = Clock(), Source(Lifetime(5.0, 5.0, ()))
    cache = await Tiers("").make(clock=clock)
    await ask(cache, b"a", source)
    clock.ahead_s = 6
    await cache.tick()
    assert (len(cache.l1), cache.l1.counters.expired) == (1, 0)
    cache.variants.set_expiry("sweep")
    await cache.tick()
    assert (len(cache.l1), cache.l1.counters.expired) == (0, 1)
    await ask(cache, b"a", source)
    clock.ahead_s = 6 + 30
    await cache.tick()
    assert len(cache.l1) == 1, "once a minute"
    cache.variants.set_expiry("lazy")
    clock.ahead_s = 6 + 90
    await cache.tick()
    assert len(cache.l1) == 1
    assert (await ask(cache, b"a", source)).source == "node"


async def asked_at_once(cache: TieredCache, key: bytes, source: Source, count: int) -> list[str]:
    source.gate = asyncio.Event()
    asks = [asyncio.create_task(ask(cache, key, source)) for _ in range(count)]
    await until(lambda: source.asked > 0, what="it is asked")
    for _ in range(20):
        await asyncio.sleep(0.001)  # those who wait for others, and those who look at Valkey
    source.gate.set()
    return [(await one).source for one in asks]


async def test_without_sharing_each_caller_asks_and_with_it_one(tiers: Tiers) -> None:
    cache = await tiers.make()
    for name, asked in (("fleet", 1), ("off", 8), ("process", 1), ("off", 8), ("fleet", 1)):
        cache.variants.set_sharing(name)
        assert cache.variants.sharing == name
        source, before = Source(), cache.counts.coalesced
        await asked_at_once(cache, tiers.key(f"{name}-{before}"), source, 8)
        assert source.asked == asked
        assert cache.counts.coalesced - before == 8 - asked
        # What came is known to all of them afterwards.
        assert (await ask(cache, tiers.key(f"{name}-{before}"), source)).source == "l1"
        assert source.asked == asked


async def test_a_caller_without_sharing_is_ended_in_time_too() -> None:
    clock, source = Clock(), Source()
    cache = await Tiers("").make(clock=clock, hard_s=30.0)
    cache.variants.set_sharing("off")
    source.gate = asyncio.Event()
    asks = [asyncio.create_task(ask(cache, b"a", source)) for _ in range(2)]
    await until(lambda: source.asked == 2, what="both ask")
    clock.ahead_s = 31
    await cache.tick()
    for one in asks:
        with pytest.raises(TimeoutError, match="within 30 s"):
            await one


@pytest.mark.parametrize("name", ["off", "process"])
async def test_only_the_fleet_sees_who_else_asks(tiers: Tiers, name: str) -> None:
    """One process asks under a mark; another that does not share waits for nobody, and what both
    store is read by both.
    """
    one, other = await tiers.make(), await tiers.make()
    other.variants.set_sharing(name)
    key, slow, quick = tiers.key("a"), Source(), Source()
    slow.gate = asyncio.Event()
    first = asyncio.create_task(ask(one, key, slow))
    await until(lambda: slow.asked == 1, what="the first asks")
    assert (await ask(other, key, quick)).source == "node"
    slow.gate.set()
    assert (await first).source == "node"
    third = await tiers.make()
    assert (await ask(third, key, Source())).source == "l2"
    # And the other way round: nobody finds a mark of who does not share.
    key, slow.asked, slow.gate = tiers.key("b"), 0, asyncio.Event()
    first = asyncio.create_task(ask(other, key, slow))
    await until(lambda: slow.asked == 1, what="the first asks")
    assert await stored(other, key) is None
    slow.gate.set()
    await first


async def test_who_waits_when_sharing_ends_still_gets_the_answer(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source()
    source.gate = asyncio.Event()
    first = asyncio.create_task(ask(one, key, source))
    await until(lambda: source.asked == 1, what="the first asks")
    waiting = [asyncio.create_task(ask(cache, key, source)) for cache in (one, other)]
    await until(lambda: bool(one._flights._flights[key]._waiters), what="one waits")
    for cache in (one, other):
        cache.variants.set_sharing("off")
    source.gate.set()
    assert [(await each).values for each in (first, *waiting)] == [1, 1, 1]


async def test_what_there_is_none_of_is_refused_and_changes_nothing(tiers: Tiers) -> None:
    variants = (await tiers.make()).variants
    before = state_of(variants)
    for name in ("policy", "expiry", "sizing", "codec", "warming", "sharing"):
        with pytest.raises(ValueError, match=rf"{name}: there is none named 'rubbish'; one of"):
            getattr(variants, f"set_{name}")("rubbish")
    for name in ("ttl", "threshold", "max_entries"):
        with pytest.raises(ValueError, match=f"{name}: must not be negative, is -1"):
            getattr(variants, f"set_{name}")(-1)
    assert state_of(variants) == before


def state_of(variants: Variants) -> list[object]:
    names = ("policy", "max_entries", "ttl_s", "expiry", "sizing", "codec", "threshold")
    return [getattr(variants, name) for name in (*names, "warming", "sharing")]


async def test_without_valkey_a_codec_is_remembered_and_nothing_happens() -> None:
    cache = await Tiers("").make()
    cache.variants.set_codec("gzip")
    cache.variants.set_threshold(1024)
    assert (cache.variants.codec, cache.variants.threshold) == ("gzip", 1024)
    assert (await ask(cache, b"a", Source())).source == "node"


WORDS = st.one_of(
    st.tuples(
        st.just("operator"),
        st.fixed_dictionaries(
            {}, optional={"max_entries": st.just(7.0), "max_bytes": st.just(9e6)}
        ),
    ),
    st.tuples(st.just("flag"), st.sampled_from((0, 1000, 5000))),
    st.tuples(st.just("sizing"), st.sampled_from(("fixed", "adaptive"))),
    st.tuples(st.just("memory"), st.sampled_from((8 * MB, 64 * MB, 4096 * MB))),
)


@given(st.lists(WORDS, max_size=12))
def test_bounds_are_what_the_last_words_say_in_whatever_order_they_came(
    words: Sequence[tuple[str, object]],
) -> None:
    l1 = L1(L1Config(max_entries=10_000, max_bytes=64 * MB))
    bounds = Bounds(l1, L1Config(max_entries=10_000, max_bytes=64 * MB))
    last: dict[str, object] = {"operator": {}, "flag": 0, "sizing": "adaptive"}
    for what, word in words:
        last[what] = word
        match what, word:
            case "operator", dict():
                bounds.obey(word)
            case "flag", int():
                bounds.flag(word)
            case "sizing", str():
                bounds.size_by(word)
            case "memory", int():
                bounds.fit(Memory(total=8192 * MB, available=word), processes=1)
    operator = last["operator"]
    assert isinstance(operator, dict)
    assert l1.max_entries == (operator.get("max_entries") or last["flag"] or 10_000)
    assert bounds.sizing == last["sizing"]
    if "max_bytes" in operator:
        assert l1.max_bytes == 9_000_000
    elif last["sizing"] == "fixed" or "memory" not in last:
        assert l1.max_bytes == 64 * MB
    elif last["memory"] == 8 * MB:
        assert l1.max_bytes < 64 * MB


def test_adaptive_bytes_are_fitted_at_once_when_they_are_wanted_again() -> None:
    config = L1Config(max_bytes=64 * MB)
    l1 = L1(config)
    bounds = Bounds(l1, config)
    bounds.fit(Memory(total=100 * MB, available=40 * MB), processes=1)
    fitted = l1.max_bytes
    assert fitted == 10 * MB
    bounds.size_by("fixed")
    assert l1.max_bytes == 64 * MB
    bounds.size_by("adaptive")
    assert l1.max_bytes == fitted


async def test_a_smaller_size_lets_go_of_entries_and_a_larger_one_takes_more() -> None:
    cache, source = await Tiers("").make(l1=L1Config(max_entries=100)), Source()
    for number in range(100):
        await ask(cache, b"%d" % number, source)
    cache.variants.set_max_entries(40)
    assert (len(cache.l1), cache.variants.max_entries) == (40, 40)
    cache.bounds.obey({"max_entries": 10.0})
    assert (len(cache.l1), cache.variants.max_entries) == (10, 10)
    cache.variants.set_max_entries(60)
    assert cache.variants.max_entries == 10, "an operator goes first"
    cache.bounds.obey({})
    assert cache.variants.max_entries == 60
    cache.variants.set_max_entries(0)
    assert cache.variants.max_entries == 100


async def test_values_that_cannot_be_read_are_asked_for_under_each_sharing(tiers: Tiers) -> None:
    for name in ("off", "process", "fleet"):
        one, other = await tiers.make(), await tiers.make()
        other.variants.set_sharing(name)
        key, source = tiers.key(f"spoilt-{name}"), Source()
        await ask(one, key, source)

        def refuse(raws: tuple[bytes, ...]) -> int:
            raise ValueError(raws)

        hit = await other.get_or_set(key, "tx", source, refuse)
        assert (hit.source, hit.values, decode(hit.raws)) == ("node", 2, 2)
