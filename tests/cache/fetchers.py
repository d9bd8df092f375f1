"""Fetchers with a memory, as processes of one fleet have them, over one made-up node."""

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import msgspec

from tests.cache.test_freshness import Chain
from tests.cache.tiers import Tiers
from tests.validators import world
from validation.cache import CachedFetcher, TieredCache
from validation.rpc import Call, NodeUnreachable, Reply
from validation.subjects import parse_subject
from validation.validators import Outcome, validate
from validation.validators.registry import KINDS

TX = world.signed(2)
RECEIPT = world.receipt_of(TX)
BLOCK = world.block_of([TX])


class Node(world.Node):
    """Also tells its chain: one of each test's own, unless it is told which."""

    def __init__(self, answers: dict[str, Any]) -> None:
        super().__init__(answers)
        self.genesis: str | None = "0x" + uuid.uuid4().hex * 2
        self.gate: asyncio.Event | None = None
        self.questions = self.parted = 0

    def part(self) -> None:
        self.parted += 1

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        if calls[0].method == "eth_chainId":
            if self.genesis is None:
                raise NodeUnreachable("gone")
            genesis = world.block_of([]) | {"hash": self.genesis}
            return Reply(("0x1", calls[1].decode(msgspec.json.encode(genesis))), "node-1")
        self.questions += 1
        if self.gate is not None:
            await self.gate.wait()
        reply = await super().fetch(calls, timeout_s=timeout_s)
        raws = tuple(self._raw(call.method) for call in calls)
        return Reply(reply.values, reply.node, raws)


class Process:
    def __init__(self, cache: TieredCache, node: Node, chain: Chain) -> None:
        self.node = node
        self.cache = cache
        self.fetcher = CachedFetcher(node, cache, finality=chain)
        self.fetcher.start()

    async def validate(self, subject: str, *, level: int = 1) -> Outcome:
        return await validate(
            parse_subject(subject), level=level, fetcher=self.fetcher, chain_id=world.CHAIN_ID
        )

    async def fetch(self, subject: str, **options: Any) -> Reply:
        parsed = parse_subject(subject)
        reply = await self.fetcher.fetch(KINDS[parsed.kind].calls(parsed), **options)
        if self.cache.l2 is not None:
            self.cache.l2.write_out()  # another process is asked next
        return reply


def knowing() -> Node:
    """It knows a transaction, its block, and an address."""
    return Node(
        {
            "eth_getTransactionByHash": TX,
            "eth_getTransactionReceipt": RECEIPT,
            "eth_getBlockByNumber": BLOCK,
            "eth_getBlockByHash": BLOCK,
            "eth_getBalance": "0x1",
            "eth_getTransactionCount": "0x1",
            "eth_getCode": "0x",
        }
    )


class Fleet:
    def __init__(self, tiers: Tiers, node: Node) -> None:
        self._tiers = tiers
        self._node = node
        self.chain = Chain(100)
        self.processes: list[Process] = []

    async def start(self, *, knows_chain: bool = True, **config: Any) -> Process:
        cache = await self._tiers.make(orphaned=self.chain.is_orphaned, **config)
        process = Process(cache, self._node, self.chain)
        self.processes.append(process)
        if knows_chain:
            await asyncio.wait_for(process.fetcher.is_warm.wait(), 5)
        return process

    async def aclose(self) -> None:
        for process in self.processes:
            await process.fetcher.aclose()
