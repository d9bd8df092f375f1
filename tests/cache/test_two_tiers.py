"""Get or set: which tier answers, what it says of itself, and who asks where nobody knows."""

import asyncio
import uuid
from itertools import pairwise
from typing import Any

import pytest

from monitoring.instruments import REGISTRY
from tests.cache.tiers import Clock, Source, Tiers, ask, decode, past_purges, stored, until
from validation.cache import Lifetime, Made, Want
from validation.cache.valkey import command
from validation.rpc import NodeUnreachable

TAGS = ("tx", "node:n")
MINUTE = Lifetime(60.0, 60.0, TAGS)
HOUR_AND_STALE = Lifetime(3600.0, 7200.0, TAGS)


async def test_the_node_is_asked_once_and_each_tier_says_who_it_is(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source()
    hits = [await ask(one, key, source), await ask(one, key, source), await ask(other, key, source)]
    hits.append(await ask(other, key, source))
    assert [hit.source for hit in hits] == ["node", "l1", "l2", "l1"]
    assert [hit.values for hit in hits] == [1, 1, 1, 1]
    assert {hit.node for hit in hits} == {"n"}
    assert source.asked == 1


async def test_an_answer_tells_how_long_ago_the_node_was_asked(tiers: Tiers) -> None:
    clock, source = Clock(), Source()
    one, other = await tiers.make(clock=clock), await tiers.make(clock=clock)
    key = tiers.key("a")
    assert (await ask(one, key, source)).age_s == 0.0
    clock.ahead_s = 30.0
    assert (await ask(one, key, source)).age_s == pytest.approx(30.0, abs=1.0)
    assert (await ask(other, key, source)).age_s == pytest.approx(30.0, abs=1.0)
    assert (await ask(other, key, source)).age_s == pytest.approx(30.0, abs=1.0)


async def test_what_expired_is_asked_for_again(tiers: Tiers) -> None:
    clock, source = Clock(), Source(MINUTE)
    one, other = await tiers.make(clock=clock), await tiers.make(clock=clock)
    key = tiers.key("a")
    await ask(one, key, source)
    clock.ahead_s = 61.0
    assert (await ask(other, key, source)).source == "node"
    assert (await ask(one, key, source)).values == 2


async def test_what_may_not_be_kept_is_not_and_nobody_waits_for_it(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source(None)
    await ask(one, key, source)
    assert await stored(one, key) is None  # not even the mark of who asked
    assert (await ask(other, key, source)).source == "node"


async def test_a_fresh_answer_replaces_what_is_known(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source()
    await ask(one, key, source)
    hit = await ask(one, key, source, fresh=True)
    assert (hit.values, hit.source) == (2, "node")
    assert (await ask(one, key, source)).values == 2
    assert await stored(one, key) is not None
    assert (await ask(other, key, source)).values == 2


async def test_a_fresh_answer_that_may_not_be_kept_takes_the_old_one_away(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source()
    await ask(one, key, source)
    source.lifetime = None
    await ask(one, key, source, fresh=True)
    assert await stored(one, key) is None
    assert (await ask(other, key, source)).values == 3


async def test_that_there_is_nothing_is_known_too_and_counted_apart(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    key, source = tiers.key("a"), Source(Lifetime(60.0, 60.0, TAGS, negative=True))
    for cache in (one, one, other, other):
        await ask(cache, key, source)
    assert source.asked == 1
    assert one.counts.kinds["tx"].as_dict() == {
        "l1": 0, "l2": 0, "stale": 0, "negative": 1, "miss": 1,
    }  # fmt: skip
    assert other.counts.kinds["tx"].negative == 2
    assert other.counts.negative_l2 == 1


async def test_many_keys_are_looked_up_at_once_and_nothing_is_asked(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    source, keys = Source(), [tiers.key(f"{n}") for n in range(20)]
    for key in keys[:10]:
        await ask(one, key, source)
    await ask(other, keys[0], source)
    hits = await other.get_many([Want(key, "tx", decode) for key in keys])
    assert [hit and hit.source for hit in hits] == ["l1", *["l2"] * 9, *[None] * 10]
    assert [hit and hit.values for hit in hits[:10]] == list(range(1, 11))
    assert source.asked == 10


async def test_nobody_waits_for_another_s_answer_to_be_sealed(
    tiers: Tiers, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache, source = await tiers.make(), Source()
    source.gate = asyncio.Event()
    told: list[str] = []
    assert cache.l2 is not None
    write = cache.l2._write

    def seal(*given: Any) -> None:
        told.append("sealed")
        write(*given)

    monkeypatch.setattr(cache.l2, "_write", seal)

    async def one(name: str) -> None:
        await cache.get_or_set(tiers.key(name), "tx", source, decode)
        told.append("told")

    asking = [asyncio.create_task(one(f"{n}")) for n in range(100)]
    await until(lambda: source.asked == 100, what="all are asked for")
    source.gate.set()
    await asyncio.gather(*asking)
    await until(lambda: len(told) == 200, what="all are stored")
    assert told == ["told"] * 100 + ["sealed"] * 100


async def test_what_is_dropped_at_once_is_not_stored_after_that(tiers: Tiers) -> None:
    cache = await tiers.make()
    await cache.get_or_set(tiers.key("a"), "tx", Source(), decode)
    cache.drop(tiers.key("a"))
    assert await stored(cache, tiers.key("a")) is None


class TestFigures:
    async def test_warming_is_nobodys_look_up(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make()
        source, keys = Source(), [tiers.key(f"{n}") for n in range(20)]
        for key in keys:
            await ask(one, key, source)
        await ask(other, keys[0], source)
        hits = await other.get_many([Want(key, "tx", decode) for key in keys], counted=False)
        assert len(hits) == 19
        assert other.counts.lookups() == other.counts.kinds["tx"].l2 == 1
        assert all(key in other.l1 for key in keys)

    async def test_the_curve_is_told_of_as_many_look_ups_as_it_could_see(
        self, tiers: Tiers, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        one, clock = await tiers.make(), Clock()
        other = await tiers.make(clock=clock)
        seen: list[bytes] = []
        monkeypatch.setattr(other, "_touch", seen.append)
        source, keys = Source(HOUR_AND_STALE), [tiers.key(f"{n}") for n in range(4)]
        await ask(one, keys[0], source)
        await other.get_many([Want(key, "tx", decode) for key in keys])
        for ahead_s in (0.0, 3700.0):
            clock.ahead_s = ahead_s
            for key in keys:
                await ask(other, key, source)
                await ask(other, key, source, fresh=True)
                await ask(other, key, source)
        assert other.counts.lookups() == len(seen) == 16

    async def test_without_l2_nothing_is_missed_there(self, tiers: Tiers) -> None:
        def missed() -> float:
            return (
                REGISTRY.get_sample_value("cache_requests_total", {"level": "l2", "result": "miss"})
                or 0.0
            )

        alone, before = await tiers.make(url="", key=b""), missed()
        await ask(alone, tiers.key("a"), Source())
        alone.tell()
        assert missed() == before

    async def test_a_codec_is_named_as_it_was_chosen(self, tiers: Tiers) -> None:
        cache = await tiers.make(codec="zstd-fast")

        async def make() -> Made:
            return Made(1, (b"1" * 1000,), "n", MINUTE)

        await cache.get_or_set(tiers.key("a"), "tx", make, decode)
        await ask(cache, tiers.key("b"), Source())
        assert cache.l2 is not None
        assert dict(cache.l2.codecs) == {"zstd-fast": 1, "none": 1}


class TestOneQuestion:
    async def test_callers_of_one_process_share_it(self, tiers: Tiers) -> None:
        cache, source = await tiers.make(), Source()
        source.gate = asyncio.Event()
        callers = [asyncio.create_task(ask(cache, tiers.key("a"), source)) for _ in range(64)]
        await until(lambda: source.asked == 1, what="somebody asks")
        source.gate.set()
        assert {(await caller).values for caller in callers} == {1}
        assert source.asked == 1
        assert cache.counts.coalesced == 63

    async def test_callers_of_other_processes_wait_for_it(self, tiers: Tiers) -> None:
        caches = [await tiers.make() for _ in range(4)]
        source, key = Source(), tiers.key("a")
        source.gate = asyncio.Event()
        callers = [
            asyncio.create_task(ask(cache, key, source)) for cache in caches for _ in range(16)
        ]
        await until(lambda: source.asked == 1, what="somebody asks")
        asyncio.get_running_loop().call_later(0.1, source.gate.set)
        assert {(await caller).values for caller in callers} == {1}
        assert source.asked == 1

    async def test_also_of_what_was_purged_but_lies_there_still(self, tiers: Tiers) -> None:
        caches = [await tiers.make() for _ in range(4)]
        source, key = Source(), tiers.key("a")
        await ask(caches[0], key, source)
        caches[0].purge("tx")
        for cache in caches:
            await cache.tick()
        await past_purges(*caches)
        source.gate = asyncio.Event()
        callers = [asyncio.create_task(ask(cache, key, source)) for cache in caches]
        await until(lambda: source.asked == 2, what="somebody asks")
        asyncio.get_running_loop().call_later(0.1, source.gate.set)
        assert {(await caller).values for caller in callers} == {2}

    async def test_nobody_waits_for_long_for_a_process_that_died(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make(wait_s=0.1)
        source, key = Source(), tiers.key("a")
        assert one.l2 is not None
        await one.l2.claim(key)  # and never comes back
        assert (await ask(other, key, source)).source == "node"
        assert (await ask(await tiers.make(), key, source)).source == "l2"

    async def test_nor_longer_than_its_mark_lives(self, tiers: Tiers) -> None:
        one, other = await tiers.make(claim_s=0.1), await tiers.make()
        source, key = Source(), tiers.key("a")
        assert one.l2 is not None
        await one.l2.claim(key)
        hit = await asyncio.wait_for(ask(other, key, source), 5)
        assert (hit.source, source.asked) == ("node", 1)

    async def test_however_long_the_node_takes_one_process_asks(self, tiers: Tiers) -> None:
        caches = [await tiers.make(claim_s=0.3, poll_s=0.02) for _ in range(4)]
        for cache in caches:
            tiers.keep_ticking(cache)
        source, key = Source(), tiers.key("a")
        source.gate = asyncio.Event()
        asyncio.get_running_loop().call_later(1.5, source.gate.set)
        hits = await asyncio.gather(*[ask(cache, key, source) for cache in caches for _ in (1, 2)])
        assert source.asked == 1
        assert sorted(hit.source for hit in hits) == ["l2"] * 6 + ["node"] * 2

    @pytest.mark.parametrize(
        "unkept", [Lifetime(0.0, 0.0, TAGS), Lifetime(60.0, 60.0, ("x" * 300_000,))]
    )
    async def test_what_cannot_be_stored_leaves_no_mark(
        self, tiers: Tiers, unkept: Lifetime
    ) -> None:
        cache, source = await tiers.make(), Source(unkept)
        await ask(cache, tiers.key("a"), source)
        assert await stored(cache, tiers.key("a")) is None

    async def test_who_leaves_takes_no_answer_away(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make()
        source, key = Source(), tiers.key("a")
        await ask(one, key, source)
        leaver = asyncio.create_task(ask(other, key, source))
        await asyncio.sleep(0)  # its claim is on the way
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        assert (await ask(other, key, source)).source == "l2"

    async def test_nor_another_process_mark(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make()
        source, key = Source(), tiers.key("a")
        source.gate = asyncio.Event()
        late = asyncio.create_task(ask(one, key, source))
        await until(lambda: source.asked == 1, what="the first asks")
        assert one.wire is not None
        await one.wire.probe(command("DEL", key))  # it was held up, and its mark ended
        then = asyncio.create_task(ask(other, key, source))
        await until(lambda: source.asked == 2, what="the next one asks")
        held = await stored(one, key)
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        assert held is not None
        assert await stored(one, key) == held
        source.gate.set()
        await then

    async def test_a_purge_lets_other_processes_ask_at_once(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make()
        source, key = Source(), tiers.key("a")
        source.gate = asyncio.Event()
        early = asyncio.create_task(ask(one, key, source))
        await until(lambda: source.asked == 1, what="the first asks")
        late = asyncio.create_task(ask(other, key, source))
        one.purge(f"block:0x{uuid.uuid4().hex}")
        await until(lambda: source.asked == 2, what="the other asks meanwhile")
        source.gate.set()
        assert [(await early).values, (await late).values] == [1, 2]

    async def test_a_caller_who_leaves_takes_nobody_along(self, tiers: Tiers) -> None:
        cache, source = await tiers.make(), Source()
        source.gate = asyncio.Event()
        callers = [asyncio.create_task(ask(cache, tiers.key("a"), source)) for _ in range(3)]
        await until(lambda: source.asked == 1, what="the first asks")
        callers[0].cancel()
        await until(lambda: source.asked == 2, what="the next one asks in its place")
        source.gate.set()
        assert [(await caller).values for caller in callers[1:]] == [2, 2]

    async def test_a_caller_who_leaves_lets_other_processes_ask(self, tiers: Tiers) -> None:
        one, other = await tiers.make(), await tiers.make(wait_s=30.0)
        source, key = Source(), tiers.key("a")
        source.gate = asyncio.Event()
        leaver = asyncio.create_task(ask(one, key, source))
        await until(lambda: source.asked == 1, what="the first asks")
        waiter = asyncio.create_task(ask(other, key, source))
        leaver.cancel()
        source.gate.set()
        assert (await asyncio.wait_for(waiter, 5)).source == "node"

    async def test_one_who_leaves_before_the_server_answered_leaves_no_mark(
        self, tiers: Tiers
    ) -> None:
        one, other = await tiers.make(), await tiers.make(wait_s=30.0)
        source, key = Source(), tiers.key("a")
        leaver = asyncio.create_task(ask(one, key, source))
        await asyncio.sleep(0)  # its claim is on the way
        leaver.cancel()
        await asyncio.gather(leaver, return_exceptions=True)
        assert await stored(one, key) is None
        hit = await asyncio.wait_for(ask(other, key, source), 5)
        assert (hit.source, source.asked) == ("node", 1)

    async def test_an_error_reaches_all_who_wait_and_is_not_kept(self, tiers: Tiers) -> None:
        cache, source = await tiers.make(), Source()
        source.gate, source.error = asyncio.Event(), NodeUnreachable("gone")
        callers = [asyncio.create_task(ask(cache, tiers.key("a"), source)) for _ in range(3)]
        await until(lambda: source.asked == 1, what="somebody asks")
        source.gate.set()
        errors = await asyncio.gather(*callers, return_exceptions=True)
        assert [str(error) for error in errors] == ["gone"] * 3
        assert all(one is not other for one, other in pairwise(errors))
        source.error = None
        assert (await ask(cache, tiers.key("a"), source)).values == 2

    async def test_nobody_waits_beyond_the_hard_deadline(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source()
        cache = await tiers.make(clock=clock, hard_s=10.0)
        source.gate = asyncio.Event()
        callers = [asyncio.create_task(ask(cache, tiers.key("a"), source)) for _ in range(3)]
        await until(lambda: source.asked == 1, what="somebody asks")
        await cache.tick()
        assert not any(caller.done() for caller in callers)
        clock.ahead_s = 11.0
        await cache.tick()
        errors = await asyncio.gather(*callers, return_exceptions=True)
        assert [type(error) for error in errors] == [TimeoutError] * 3
        assert await stored(cache, tiers.key("a")) is None


class TestAgeing:
    async def test_l1_keeps_nothing_longer_than_it_may_and_l2_still_knows(
        self, tiers: Tiers
    ) -> None:
        clock, source = Clock(), Source(HOUR_AND_STALE)
        cache = await tiers.make(clock=clock, l1_ttl_s=300.0)
        await ask(cache, tiers.key("a"), source)
        clock.ahead_s = 299.0
        assert (await ask(cache, tiers.key("a"), source)).source == "l1"
        clock.ahead_s = 301.0
        assert (await ask(cache, tiers.key("a"), source)).source == "l2"
        assert source.asked == 1

    async def test_a_stale_answer_is_given_while_it_is_renewed(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(HOUR_AND_STALE)
        cache = await tiers.make(clock=clock)
        key = tiers.key("a")
        await ask(cache, key, source)
        clock.ahead_s = 3700.0
        hit = await ask(cache, key, source)
        assert (hit.values, hit.source) == (1, "l1")
        assert hit.age_s == pytest.approx(3700.0, abs=1.0)
        assert cache.counts.kinds["tx"].stale == 1
        await until(lambda: source.asked == 2, what="it is renewed")
        await until(lambda: cache.peek(key, "tx") is not None, what="the new one is known")
        assert (await ask(cache, key, source)).values == 2

    async def test_with_a_soft_deadline_the_fresh_one_is_given_if_it_comes_in_time(
        self, tiers: Tiers
    ) -> None:
        clock, source = Clock(), Source(HOUR_AND_STALE)
        cache = await tiers.make(clock=clock, soft_s=0.2)
        await ask(cache, tiers.key("a"), source)
        clock.ahead_s = 3700.0
        assert (await ask(cache, tiers.key("a"), source)).values == 2
        clock.ahead_s = 7400.0
        source.gate = asyncio.Event()
        assert (await ask(cache, tiers.key("a"), source)).values == 2
        source.gate.set()

    async def test_where_no_node_answers_it_is_given_until_its_bound(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(HOUR_AND_STALE)
        cache = await tiers.make(clock=clock)
        key = tiers.key("a")
        await ask(cache, key, source)
        source.error = NodeUnreachable("gone")
        for ahead_s in (3700.0, 5000.0, 7100.0):
            clock.ahead_s = ahead_s
            assert (await ask(cache, key, source)).values == 1
        clock.ahead_s = 7300.0
        with pytest.raises(NodeUnreachable):
            await ask(cache, key, source)

    async def test_also_by_a_process_that_never_asked(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(HOUR_AND_STALE)
        one, other = await tiers.make(clock=clock), await tiers.make(clock=clock)
        await ask(one, tiers.key("a"), source)
        source.error = NodeUnreachable("gone")
        clock.ahead_s = 3700.0
        hit = await ask(other, tiers.key("a"), source)
        assert (hit.values, hit.source) == (1, "l2")
        assert other.counts.stale_l2 == 1

    async def test_what_may_change_is_never_given_stale(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(MINUTE)
        cache = await tiers.make(clock=clock)
        await ask(cache, tiers.key("a"), source)
        source.error = NodeUnreachable("gone")
        clock.ahead_s = 61.0
        with pytest.raises(NodeUnreachable):
            await ask(cache, tiers.key("a"), source)

    async def test_what_is_asked_for_is_renewed_before_it_goes_stale(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(MINUTE)
        cache = await tiers.make(clock=clock, eager=0.8)
        key = tiers.key("a")
        await ask(cache, key, source)
        clock.ahead_s = 50.0
        hit = await ask(cache, key, source)
        assert (hit.values, hit.source) == (1, "l1")
        assert cache.counts.kinds["tx"].stale == 0
        await until(lambda: source.asked == 2, what="it is renewed")
        clock.ahead_s = 90.0  # the first would be gone
        assert (await ask(cache, key, source)).values == 2

    async def test_one_process_of_the_fleet_renews(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(MINUTE)
        caches = [await tiers.make(clock=clock) for _ in range(4)]
        key = tiers.key("a")
        for cache in caches:
            await ask(cache, key, source)
        clock.ahead_s = 50.0
        source.gate = asyncio.Event()
        for cache in caches:
            await ask(cache, key, source)
        await until(lambda: source.asked == 2, what="somebody renews")
        source.gate.set()
        for cache in caches:
            await until(lambda c=cache: not len(c._renewals), what="all is quiet")  # type: ignore[misc]
        clock.ahead_s = 52.0
        for cache in caches:
            await ask(cache, key, source)
        for cache in caches:
            await until(lambda c=cache: not len(c._renewals), what="all is quiet")  # type: ignore[misc]
        assert {(await ask(cache, key, source)).values for cache in caches} == {2}
        assert source.asked == 2

    async def test_renewals_are_bounded(self, tiers: Tiers) -> None:
        clock, source = Clock(), Source(MINUTE)
        cache = await tiers.make(clock=clock, max_refreshes=3)
        keys = [tiers.key(f"{n}") for n in range(10)]
        for key in keys:
            await ask(cache, key, source)
        clock.ahead_s = 50.0
        source.gate = asyncio.Event()
        for key in keys:
            assert (await ask(cache, key, source)).source == "l1"
        await until(lambda: source.asked == 13, what="three are renewed")
        assert len(cache._renewals) == 3
        source.gate.set()
