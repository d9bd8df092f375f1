"""The look at the cache server goes on, whatever the server and the nodes answer."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cache.tiers import KEY, Clock, Source, Tiers, ask, until
from validation.cache import CacheConfig, CachedFetcher, TieredCache
from validation.resilience import Breaker, Override, State
from validation.rpc import Call, Reply


class Odd:
    """A server that answers each command with the next of its answers, in whatever shape."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.connections = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        while data := await reader.read(65_536):
            writer.write(self.answer * data.count(b"*"))
        writer.close()


class Mute:
    """A node whose answers have no values."""

    def __init__(self) -> None:
        self.asked = 0

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        del calls, timeout_s, fresh
        self.asked += 1
        return Reply(None, "n")  # type: ignore[arg-type]


@pytest.fixture
async def odd(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[Odd, str]]:
    made, path = Odd(request.param), tmp_path / "odd.sock"
    server = await asyncio.start_unix_server(made, path)
    yield made, f"unix://{path}"
    server.close()


@pytest.mark.parametrize(
    "odd", [b":5\r\n", b"+OK\r\n", b"*1\r\n$1\r\n1\r\n", b"$-1\r\n"], indirect=True
)
async def test_answers_of_another_shape_do_not_end_the_looking(odd: tuple[Odd, str]) -> None:
    server, url = odd
    breaker = Breaker("l2")
    cache = TieredCache(CacheConfig(url=url, key=KEY, poll_s=0.01), breaker=breaker)
    node = Mute()
    fetcher = CachedFetcher(node, cache)
    fetcher.start()
    await until(lambda: server.connections >= 6, what="it goes on looking")
    assert cache.wire is None
    assert breaker.state is State.OPEN
    await until(lambda: node.asked > 0, what="the node was asked")
    assert not any(task.done() for task in fetcher._tasks)
    await fetcher.aclose()


async def test_a_turn_that_fails_is_not_the_last(tiers: Tiers) -> None:
    cache = await tiers.make(poll_s=0.01)
    turns = []

    async def fail() -> None:
        turns.append(1)
        raise LookupError("a defect of ours")

    cache.tick = fail  # type: ignore[method-assign]
    fetcher = CachedFetcher(Mute(), cache)
    fetcher.start()
    await until(lambda: len(turns) >= 3, what="it has its next turns")
    await fetcher.aclose()


async def test_who_has_not_looked_for_long_leaves_l2_alone(tiers: Tiers) -> None:
    clock, source = Clock(), Source()
    one, other = await tiers.make(clock=clock, blind_s=1.5), await tiers.make(clock=clock)
    await ask(other, tiers.key("a"), source)
    clock.ahead_s = 2.0
    assert one.wire is None
    assert (await ask(one, tiers.key("a"), source)).source == "node"
    await one.tick()
    assert one.wire is not None


async def test_forced_open_the_look_under_way_stops_too(
    tiers_on: Callable[[str], Tiers], own_valkey: Any
) -> None:
    tiers = tiers_on(own_valkey.url)
    cache = await tiers.make(connected=False)
    breaker = tiers.breakers[0]
    looking = asyncio.create_task(cache.tick())
    await asyncio.sleep(0)  # it is about to connect
    breaker.override(Override(mode="forced_open", revision=1))
    await looking
    assert cache.wire is None
    assert cache.table.epoch == ""  # nothing was asked
    breaker.override(None)
    await cache.tick()
    assert cache.wire is not None
