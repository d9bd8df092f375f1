"""Valkey stopped, frozen, slow, full, emptied and filled with rubbish: never an error to a caller,
and never a wait of more than 50 ms, nor any once its breaker is open.
"""

import asyncio
import os
import statistics
import time
from collections.abc import Callable

import pytest
import redis

from tests.cache.conftest import OwnValkey
from tests.cache.tiers import KEY, LONG, Source, Tiers, ask, stored, until
from validation.cache import Lifetime, Made, TieredCache
from validation.cache.codec import CODECS
from validation.cache.valkey import command
from validation.resilience import Override, State

type Make = Callable[[str], Tiers]


async def slowest_ms(cache: TieredCache, keys: list[bytes], source: Source) -> float:
    """All at once; how long the last one took. Every one is answered."""
    started = time.monotonic()
    hits = await asyncio.gather(*[ask(cache, key, source) for key in keys])
    assert {hit.source for hit in hits} == {"node"}
    return (time.monotonic() - started) * 1000


async def unwaited_ms(cache: TieredCache, tiers: Tiers, name: str, source: Source) -> float:
    """What most of five times stay below: what else this machine does delays any one of them."""
    turns = [keys(tiers, f"{name}-{turn}") for turn in range(5)]
    return statistics.median([await slowest_ms(cache, each, source) for each in turns])


def keys(tiers: Tiers, name: str, count: int = 64) -> list[bytes]:
    return [tiers.key(f"{name}-{number}") for number in range(count)]


async def test_without_a_server_there_is_l1(tiers_on: Make) -> None:
    tiers = tiers_on("unix:///nowhere/valkey.sock")
    cache, source = await tiers.make(connected=False), Source()
    await cache.tick()
    assert [(await ask(cache, tiers.key("a"), source)).source for _ in range(2)] == ["node", "l1"]
    assert cache.wire is None


async def test_without_an_address_there_is_l1(tiers_on: Make) -> None:
    tiers = tiers_on("")
    cache, source = await tiers.make(), Source()
    await cache.tick()
    assert [(await ask(cache, tiers.key("a"), source)).source for _ in range(2)] == ["node", "l1"]
    cache.purge("tx")
    assert (await ask(cache, tiers.key("a"), source)).source == "node"


async def test_a_stopped_server_is_not_waited_for_and_found_again(
    own_valkey: OwnValkey, tiers_on: Make
) -> None:
    tiers = tiers_on(own_valkey.url)
    source, first_ms = Source(), []
    for turn in range(3):  # other work may delay one: the best counts
        own_valkey.start()
        cache = await tiers.make(reply_s=0.04)
        await ask(cache, tiers.key(f"a-{turn}"), source)
        own_valkey.kill()
        first_ms.append(await slowest_ms(cache, keys(tiers, f"down-{turn}"), source))
        assert (await ask(cache, tiers.key(f"a-{turn}"), source)).source == "l1"
    assert min(first_ms) < 50, first_ms
    states = []
    for _ in range(3):
        await cache.tick()
    states.append(tiers.breakers[-1].state)
    assert await unwaited_ms(cache, tiers, "open", source) < 35
    own_valkey.start()
    await cache.tick()  # a probe of its own finds it, however long the breaker still had to wait
    states.append(tiers.breakers[-1].state)
    assert states == [State.OPEN, State.HALF_OPEN]
    await until(lambda: _closes(cache, tiers, source), what="the breaker closes")
    assert await stored(cache, tiers.key("again-0")) is not None


async def _closes(cache: TieredCache, tiers: Tiers, source: Source) -> bool:
    await ask(cache, tiers.key(f"again-{source.asked}"), source)
    await ask(cache, tiers.key("again-0"), source, fresh=True)
    await cache.tick()
    return tiers.breakers[-1].state is State.CLOSED


def claims(server: OwnValkey) -> int:
    """How many a server was asked for, by its own word."""
    with redis.Redis.from_url(server.url) as client:
        return int(client.info("commandstats").get("cmdstat_set", {"calls": 0})["calls"])


async def test_a_frozen_server_is_waited_for_once(own_valkey: OwnValkey, tiers_on: Make) -> None:
    tiers = tiers_on(own_valkey.url)
    caches, source = [await tiers.make(reply_s=0.04) for _ in range(3)], Source()
    own_valkey.freeze()
    first_ms = []
    for number, cache in enumerate(caches):
        first_ms.append(await slowest_ms(cache, keys(tiers, f"first-{number}"), source))
        assert cache.wire is None
    assert min(first_ms) > 35, first_ms  # each of them waits
    assert min(first_ms) < 120, first_ms  # 45, and what this machine's other work takes
    assert await unwaited_ms(cache, tiers, "then", source) < 35
    for _ in range(3):
        await cache.tick()
    assert tiers.breakers[-1].state is State.OPEN
    assert await unwaited_ms(cache, tiers, "open", source) < 35
    own_valkey.thaw()
    # Of all that it finds when it goes on, only what each asked first is for it.
    assert 0 < claims(own_valkey) <= len(caches) * len(keys(tiers, "first"))
    await until(lambda: _closes(cache, tiers, source), what="the breaker closes")


async def test_looking_for_a_frozen_server_keeps_nobody_waiting(
    own_valkey: OwnValkey, tiers_on: Make
) -> None:
    tiers = tiers_on(own_valkey.url)
    cache, source = await tiers.make(reply_s=0.04, connect_s=20.0), Source()
    own_valkey.freeze()
    await slowest_ms(cache, keys(tiers, "first"), source)
    looking = asyncio.create_task(cache.tick())
    assert await unwaited_ms(cache, tiers, "meanwhile", source) < 35
    assert not looking.done()
    own_valkey.thaw()
    await looking


async def test_an_emptied_server_is_a_miss(own_valkey: OwnValkey, tiers_on: Make) -> None:
    tiers = tiers_on(own_valkey.url)
    one, other = await tiers.make(), await tiers.make()
    source = Source()
    await ask(one, tiers.key("a"), source)
    assert one.wire is not None
    await one.wire.probe(command("FLUSHALL"))
    assert (await ask(other, tiers.key("a"), source)).source == "node"


async def test_a_full_server_costs_what_it_would_have_kept(
    own_valkey: OwnValkey, tiers_on: Make
) -> None:
    tiers = tiers_on(own_valkey.url)
    cache, source = await tiers.make(), Source()
    assert cache.wire is not None
    await cache.wire.probe(
        command("CONFIG", "SET", "maxmemory", 1, "maxmemory-policy", "noeviction")
    )
    hits = [await ask(cache, tiers.key("a"), source) for _ in range(2)]
    assert [hit.source for hit in hits] == ["node", "l1"]
    await cache.tick()
    assert tiers.breakers[0].state is State.CLOSED  # it answers, and says no


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: command("SET", key, b""),
        lambda key: command("SET", key, b"rubbish"),
        lambda key: command("SET", key, b"SY" + b"\0" * 200),
        lambda key: command("SET", key, os.urandom(4096)),
        lambda key: command("SETRANGE", key, 60, b"\xff\xff"),
        lambda key: command("APPEND", key, b"more"),
        lambda key: command("EVAL", f"redis.call('DEL','{key.decode()}') "
                            f"redis.call('LPUSH','{key.decode()}','x')", 0),
    ],
)  # fmt: skip
async def test_rubbish_is_a_miss_and_makes_way(
    tiers: Tiers, spoil: Callable[[bytes], bytes]
) -> None:
    one, other, third = [await tiers.make() for _ in range(3)]
    source, key = Source(), tiers.key("a")
    await ask(one, key, source)
    assert other.wire is not None
    await other.wire.probe(spoil(key))
    assert (await ask(other, key, source)).values == 2
    assert (await ask(third, key, source)).source == "l2"
    assert other.l2 is not None
    assert other.l2.corrupt <= 1


async def test_an_entry_does_not_count_under_another_name(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()
    source = Source()
    await ask(one, tiers.key("a"), source)
    assert one.wire is not None
    await one.wire.probe(command("COPY", tiers.key("a"), tiers.key("b")))
    assert (await ask(other, tiers.key("b"), source)).source == "node"
    assert other.l2 is not None
    assert other.l2.corrupt == 1


async def test_an_entry_sealed_with_another_key_does_not_count(tiers: Tiers) -> None:
    one, stranger = await tiers.make(), await tiers.make(key=KEY[::-1])
    source = Source()
    await ask(one, tiers.key("a"), source)
    assert (await ask(stranger, tiers.key("a"), source)).source == "node"


async def test_an_entry_that_cannot_be_read_any_more_is_a_miss(tiers: Tiers) -> None:
    one, other = await tiers.make(), await tiers.make()

    async def make() -> Made:
        return Made("text", (b"text",), "n", LONG)

    await one.get_or_set(tiers.key("a"), "tx", make, lambda raws: raws[0].decode())
    assert (await ask(other, tiers.key("a"), Source())).source == "node"


@pytest.mark.parametrize("writes", list(CODECS))
async def test_what_one_codec_wrote_every_other_reads(tiers: Tiers, writes: str) -> None:
    one, other = await tiers.make(codec=writes), await tiers.make(codec="none")
    raw = b'{"blockHash":"0x' + b"ab" * 600 + b'"}'

    async def make() -> Made:
        return Made(raw, (raw,), "n", LONG)

    await one.get_or_set(tiers.key("a"), "tx", make, lambda raws: raws[0])
    hit = await other.get_or_set(tiers.key("a"), "tx", Source(), lambda raws: raws[0])
    assert (hit.values, hit.source) == (raw, "l2")


async def test_forced_open_nothing_goes_to_the_server(tiers: Tiers) -> None:
    cache, source = await tiers.make(), Source()
    breaker = tiers.breakers[0]
    forced = Override(mode="forced_open", settings={}, mode_for_s=60.0, revision=1)
    breaker.override(forced)
    hits = [await ask(cache, tiers.key("a"), source) for _ in range(2)]
    assert [hit.source for hit in hits] == ["node", "l1"]
    shared = []
    for override in (forced, None):
        breaker.override(override)
        await cache.tick()
        shared.append(cache.wire is not None)
    assert shared == [False, True]
    assert await stored(cache, tiers.key("a")) is None


async def test_data_of_a_block_lies_under_its_hash_and_is_believed_for_a_slot(
    tiers: Tiers,
) -> None:
    orphans: set[str] = set()
    one, other = await tiers.make(), await tiers.make(orphaned=orphans.__contains__)
    third = await tiers.make()
    life = Lifetime(12.0, 12.0, ("tx", "block:0xb1"), block_hash="0xb1", home_s=300.0)
    source, key = Source(life), tiers.key("a")
    await ask(one, key, source)
    assert await stored(one, key + b"@0xb1") is not None
    assert (await ask(third, key, source)).source == "l2"
    assert third.l1.get(key) is not None
    entry = third.l1.get(key)
    assert entry is not None
    assert entry.expires_at - entry.asked_at <= 12.0
    orphans.add("0xb1")
    assert (await ask(other, key, source)).source == "node"
