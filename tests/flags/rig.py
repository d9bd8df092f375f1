"""The parts of one worker's engine, on a clock and a node of the test's, switched as a worker does.

What holds is seen from outside: at the node, in Valkey, by what is still known. No part is asked
which variant it believes to have.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import psycopg

from console.flags.catalogue import BY_KEY
from tests.cache import tiers as cached
from tests.cache.tiers import LONG, Source, Tiers, ask, until
from tests.rpc.scripted import Asked, ScriptedNode, echo, well
from validation.cache import L1Config, Lifetime, Made, TieredCache
from validation.deciding import Decision, Decisions
from validation.engine import Engine, grounds_of
from validation.footprint import Footprint
from validation.memory import MemoryGuard
from validation.resilience import BreakerConfig, Breakers
from validation.rpc import RateBudgets, RpcClient, RpcConfig, RpcError
from validation.switchboard import Switchboard
from validation.toggles import Parts

ROOM, SHARE = 7_000, 16
L1_TTL_S = 120.0
"""What this deployment says, where a flag leaves it to the deployment."""
MB = 1 << 20


class Clock(cached.Clock):
    """Goes by itself, until it is stopped."""

    _stopped_at: float | None = None
    _slices = count(1)

    def later(self) -> float:
        """Later than all that was, and 1.5 s after a multiple of 300."""
        return 1_000_000_200.0 + 300 * next(self._slices) + 1.5

    def stop_at(self, seconds: float) -> None:
        self._stopped_at = seconds

    def __call__(self) -> float:
        return super().__call__() if self._stopped_at is None else self._stopped_at


@dataclass(kw_only=True)
class Rig:
    cache: TieredCache
    tiers: Tiers
    clock: Clock
    node: ScriptedNode
    client: RpcClient
    breakers: Breakers
    parts: Parts
    memory: "Memory"
    link: psycopg.Connection[Any]
    board: Switchboard = field(init=False)
    _numbers: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.board = Switchboard(lambda: self.parts)

    def switch(self, key: str, variant: str) -> None:
        value = BY_KEY[key].variants[variant]
        decision = Decision(key=key, variant=variant, value=value, reason="STATIC")
        decisions = Decisions(of={key: decision})
        self.board.apply(decisions)
        assert not self.board.has_news(decisions), "it is refused"

    # -- the cache

    async def keep(
        self, names: Iterable[bytes], *, life: Lifetime = LONG, body: bytes = b"7"
    ) -> None:
        """Has these asked for; whatever is not known is fetched and kept."""

        async def make() -> Made:
            return Made(body, (body,), "n", life)

        for name in names:
            await self.cache.get_or_set(name, "tx", make, lambda raws: raws[0])

    def kept(self, names: Iterable[bytes]) -> list[bytes]:
        """Which of them L1 answers."""
        return [name for name in names if self.cache.peek(name, "tx") is not None]

    def fresh_names(self, many: int) -> list[bytes]:
        """Nobody ever asked for these."""
        return [self.tiers.key(str(next(self._numbers))) for _ in range(many)]

    async def asked_at_once(self, callers: int) -> tuple[int, int]:
        """How often a source is asked what so many want to know at once in this process, and how
        often another process's is, that wants to know it too meanwhile.
        """
        (name,) = self.fresh_names(1)
        other, ours, theirs = await self.tiers.make(), Source(), Source()
        ours.gate = asyncio.Event()
        asking = [asyncio.create_task(ask(self.cache, name, ours)) for _ in range(callers)]
        await until(lambda: ours.asked > 0, what="somebody asks")
        for _ in range(20):
            await asyncio.sleep(0.001)  # those who look at Valkey first
        also = asyncio.create_task(ask(other, name, theirs))
        # Whoever finds a mark there waits for its answer; whoever finds none asks by itself.
        await asyncio.wait([also], timeout=0.2)
        ours.gate.set()
        await asyncio.gather(*asking, also)
        return ours.asked, theirs.asked

    # -- the node

    async def most_out(self, asks: int) -> int:
        """Requests that are with the node at once, where so many want to go out."""
        held = _Held()
        self.node.default = held
        asking = [asyncio.create_task(self.client.fetch([echo(f"{n} x")])) for n in range(asks)]
        await held.is_quiet()
        most = held.most
        held.let.set()
        await asyncio.gather(*asking)
        return most

    async def refused_once(self) -> None:
        """One question, which is too many for the node at first."""
        self.node.script, self.node.default = [_too_many], well
        await self.client.fetch([echo("z")])

    async def asked_in_vain(self, fetches: int) -> int:
        """Requests that come to a node that fails each of them."""
        before, self.node.default = len(self.node.asked), _broken
        asking = (self.client.fetch([echo(f"{n} y")]) for n in range(fetches))
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert all(isinstance(each, RpcError) for each in found)
        return len(self.node.asked) - before


class _Held:
    """A node that answers once it is let."""

    def __init__(self) -> None:
        self.let = asyncio.Event()
        self.most = self._out = 0

    async def __call__(self, asked: Asked) -> None:
        self._out += 1
        self.most = max(self.most, self._out)
        await self.let.wait()
        self._out -= 1
        asked.answer()

    async def is_quiet(self) -> None:
        """Nobody has come for a while, so nobody will."""
        seen = -1
        while seen != self.most or not self.most:
            seen = self.most
            await asyncio.sleep(0.15)


async def _too_many(asked: Asked) -> None:
    asked.send(b"", status=429, **{"Retry-After": "0"})


async def _broken(asked: Asked) -> None:
    asked.send(b"", status=502)


class Memory:
    """Of this process, as a test says, and what was let go for it."""

    def __init__(self, clock: Clock) -> None:
        self.percent = 1
        self.dropped: list[str] = []
        self.guard = MemoryGuard(
            lambda: Footprint(used=self.percent * MB, limit=100 * MB, fair=100 * MB),
            drop_half=lambda: self.dropped.append("half"),
            drop_all=lambda: self.dropped.append("all"),
            give_back=lambda _level: None,
            clock=clock,
        )


@asynccontextmanager
async def rig_on(tiers: Tiers, node: ScriptedNode, dsn: str) -> AsyncIterator[Rig]:
    """Where `tiers` know no server, nothing is kept but in the process itself."""
    clock = Clock()
    cache = await tiers.make(
        clock=clock, l1=L1Config(max_entries=ROOM, max_bytes=64 * MB), l1_ttl_s=L1_TTL_S
    )
    breakers = Breakers(
        {
            "": BreakerConfig(consecutive_failures=0, min_calls=10_000),
            "quick": BreakerConfig(consecutive_failures=2),
            "slow": BreakerConfig(consecutive_failures=0, min_calls=10_000, window_s=30.0),
        },
        clock=clock,
    )
    config = RpcConfig(
        nodes=(node.node,), allow_loopback=True, batch_size=1, batch_wait_s=0,
        max_in_flight=SHARE, backoff_base_s=0.001, retry_burst=20, request_log="failures",
    )  # fmt: skip
    client, memory = RpcClient(config, breakers=breakers), Memory(clock)
    engine = Engine(client, client, grounds_of(config, client, None))
    parts = Parts(
        cache=cache, breakers=breakers, budgets=RateBudgets(), guard=memory.guard, engines=(engine,)
    )
    with psycopg.connect(dsn, autocommit=True) as link:
        try:
            yield Rig(
                cache=cache, tiers=tiers, clock=clock, node=node, client=client, parts=parts,
                memory=memory, link=link, breakers=breakers,
            )  # fmt: skip
        finally:
            await client.aclose()
