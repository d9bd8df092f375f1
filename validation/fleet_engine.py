"""The engine of one worker process: its loop's thread, its breakers and cache, and its clients."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, replace
from typing import Any

import structlog

from monitoring.snapshots import CacheReport, MemoryReport, NodeReport, PoolReport
from validation import ballast, drag
from validation.cache import CacheConfig, CachedFetcher, Steering, TieredCache
from validation.checkpoint import Checkpoint
from validation.deciding import Decisions
from validation.engine import Engine, grounds_of, no_node
from validation.footprint import read_footprint, siblings
from validation.heads import ChainView
from validation.item_variants import Choices
from validation.keeping import Keeping
from validation.lineage import lineage_to
from validation.memory import MemoryGuard
from validation.resilience import BreakerConfig, Breakers, Change
from validation.rpc import NodeUrl, Portal, ProbeTurns, RateBudgets, RpcClient, RpcConfig
from validation.rpc.classes import CLASSES, breaker_name
from validation.rpc.fleet import ValkeyFleet
from validation.steered_breakers import SteeredBreakers, breaker_report
from validation.switchboard import Switchboard
from validation.timeouts import SessionTimeouts
from validation.toggles import Parts
from validation.validators import Grounds, Outcome
from validation.validators.outcome import BlockRef

_log = structlog.get_logger(__name__)

_CLIENTS_KEPT = 8
_STOP_S = 2.0
# A chunk that nobody can be asked about is given back after this; a node may come meanwhile.
_NODE_WAIT_S = 1.0
_FIT_EVERY = 5
"""Snapshots between two looks at the memory that is left."""
L2_BREAKER = "l2"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """`rpc` None: no node is configured; operators may add some, and runs name their own.
    `max_in_flight` counts calls a node over the whole fleet.
    """

    rpc: RpcConfig | None
    own_nodes: Callable[[Sequence[NodeUrl]], RpcConfig]
    cache: CacheConfig
    breakers: Mapping[str, BreakerConfig]
    max_in_flight: int
    # Processes that are to be expected, where nobody can count them.
    processes: int
    valkey_url: str = ""
    checkpoint: Checkpoint | None = None
    # Bytes that this process may hold; 0: its part of what there is.
    memory_limit: int = 0


class FleetEngine:
    """To be made after the fork: it starts a thread. Any thread may call it."""

    def __init__(self, portal: Portal, config: EngineConfig) -> None:
        self._portal = portal
        self._config = config
        self._processes = config.processes
        # Of them, those that share this one's memory: a container of many.
        self._here = self._pool()
        self._changed: Callable[[str], None] = lambda _topic: None
        self._registry = Breakers(
            config.breakers, listen=self._breaker_changed, named=_named(config.rpc)
        )
        self.breakers = SteeredBreakers(self._registry, portal)
        self._own: dict[tuple[str, ...], Engine] = {}
        self._default: Engine | None = None
        self._fetcher: CachedFetcher | None = None
        self.chain: ChainView | None = None
        self._cache = TieredCache(
            config.cache,
            breaker=self._registry.get(L2_BREAKER),
            orphaned=self._is_orphaned,
        )
        self.cache = portal.run(self._steer(), timeout_s=_STOP_S)
        self._fleet = ValkeyFleet(config.valkey_url) if config.valkey_url else None
        self._until_fit = _FIT_EVERY
        self._turns = ProbeTurns(self._fleet)
        self._budgets = RateBudgets(self._fleet, processes=self._processes)
        self.timeouts = SessionTimeouts()
        self._switchboard = Switchboard(self._parts)
        self.arms = self._switchboard.arms
        self._guard = MemoryGuard(
            lambda: read_footprint(self._here, own_limit=ballast.limit() or config.memory_limit),
            drop_half=lambda: self._portal.run(self._shrink(0.5), timeout_s=_STOP_S),
            drop_all=lambda: self._portal.run(self._shrink(0.0), timeout_s=_STOP_S),
        )
        self._nodes: tuple[NodeUrl, ...] = ()
        self._watched: tuple[NodeUrl, ...] = ()
        self._has_nodes = asyncio.Event()
        self._has_begun = False
        if config.rpc is not None:
            portal.run(self._set_nodes(config.rpc.nodes, ()), timeout_s=_STOP_S)

    # -- work

    def begin(self) -> None:
        """Starts what asks nodes by itself. After what operators want is known, not before: a
        breaker that they forced open lets nothing through from the first call on.
        """
        self._portal.run(self._start(), timeout_s=_STOP_S)

    @property
    def configured(self) -> tuple[NodeUrl, ...]:
        """The nodes of NODE_URLS."""
        return () if self._config.rpc is None else self._config.rpc.nodes

    def set_nodes(self, nodes: tuple[NodeUrl, ...], *, watched: tuple[NodeUrl, ...] = ()) -> None:
        """Asks these from now on, for runs that name none; those `watched` do no work. Without any
        node what is validated waits a moment, and is an error of reason `no_node` then.
        """
        if (nodes, watched) != (self._nodes, self._watched):
            self._portal.run(self._set_nodes(nodes, watched), timeout_s=_STOP_S)

    def decide(self, decisions: Decisions) -> Mapping[str, str]:
        """Has the flags be as decided: those of processes now, those of items from the next chunk
        on. What is not in force then, by key, with the reason.
        """
        if self._switchboard.has_news(decisions):
            # Not cancelled where the loop has no turn for it in time: then it is done a little
            # later, and before whatever is decided next.
            self._portal.submit(self._decide(decisions)).result(_STOP_S)
        return self._switchboard.take(decisions)

    def guard_memory(self, *, is_idle: bool = False) -> MemoryGuard:
        """Looks after the memory of this process. To be called now and then, by one thread."""
        self._guard.tend(is_idle=is_idle)
        return self._guard

    def validate(
        self,
        subjects: Sequence[str],
        *,
        level: int | None,
        node_urls: tuple[str, ...],
        agreement: int | None = None,
        explain: bool = False,
    ) -> "Future[list[Outcome]]":
        """Validates a chunk on the loop's thread; one outcome a subject, in order."""

        async def work() -> list[Outcome]:
            own = self._own_engine(node_urls) if node_urls else None
            for other in self._own.copy().values():
                if other is not own:
                    other.forget()  # chunks come one at a time: one memory does for all of them
            engine = own or await self._shared_engine()
            if engine is None:
                return [no_node(subject) for subject in subjects]
            return await engine.validate_many(
                subjects,
                level=level,
                agreement=agreement,
                explain=explain,
                keeping=Keeping(),
                plan=self._switchboard.plan(drag.current()),
            )

        return self._portal.submit(work())

    def share_with(self, processes: int, here: int = 1) -> None:
        """Gives each of `processes` its part of what the nodes may be asked at once, and the part
        of those that are `here` of the memory.
        """
        self._here = max(here, self._pool())
        processes = max(processes, self._config.processes)
        if processes != self._processes:
            self._processes = processes
            self._budgets.share_with(processes)
            for engine in self._engines():
                engine.client.set_max_in_flight(self._share())

    def stop(self) -> None:
        try:
            self._portal.run(self._stop(), timeout_s=_STOP_S)
        except TimeoutError:
            _log.warning("engine.stopped_hard", after_s=_STOP_S)
        finally:
            self._registry.destroy()
            self._portal.stop()

    # -- what is told of it

    def tell(self, changed: Callable[[str], None]) -> None:
        """Calls `changed` with a topic when something of it did; from any thread."""
        self._changed = changed

    def told(self) -> dict[str, Any]:
        """The fields of this process's snapshot that the engine knows."""
        self._registry.tally()
        self._fit_memory()
        chain = self.chain
        engines = self._engines()
        return {
            "node": {} if self._default is None else self._default.client.snapshot(),
            "breakers": tuple(map(breaker_report, self._registry.reports())),
            "pools": tuple(
                PoolReport(**asdict(pool)) for engine in engines for pool in engine.client.pools()
            ),
            "nodes": self._node_reports(),
            "cache": CacheReport(**self.cache.report()),
            "memory": MemoryReport(**self._guard.report()),
            "head": chain.head.number if chain is not None and chain.head is not None else None,
            "final": None if chain is None else chain.final_number(),
            "orphaned": 0 if chain is None else chain.orphaned_total,
        }

    def in_force(self) -> dict[str, str]:
        """What holds of each flag, by key, as the parts that it steers say themselves."""
        return self._switchboard.in_force()

    def _fit_memory(self) -> None:
        self._until_fit -= 1
        if self._until_fit < 0:
            self._until_fit = _FIT_EVERY
            self.cache.fit(processes=self._here)

    def is_settled(self, number: int, block_hash: str) -> bool:
        """Whether a block is final and in the chain, as far as is known."""
        return self.chain is not None and self.chain.is_settled(number, block_hash)

    # -- within

    async def _steer(self) -> Steering:
        return Steering(self._cache, asyncio.get_running_loop())

    def _parts(self) -> Parts:
        return Parts(
            cache=self._cache,
            breakers=self._registry,
            budgets=self._budgets,
            guard=self._guard,
            engines=tuple(self._engines()),
            timeouts=self.timeouts,
        )

    async def _shrink(self, share: float) -> None:
        """Lets go of all but so much of what is only remembered."""
        self._cache.l1.shrink(share)
        for engine in self._engines():
            engine.shrink(share)

    async def _decide(self, decisions: Decisions) -> None:
        self._switchboard.apply(decisions)

    async def _set_nodes(self, nodes: tuple[NodeUrl, ...], watched: tuple[NodeUrl, ...]) -> None:
        if self._default is None and nodes:
            self._default = self._make(self._config.rpc or self._config.own_nodes(nodes))
            if self._has_begun:
                await self._start()
        if self._default is not None:
            self._default.client.set_nodes(nodes, watched=watched)
        gone = {*self._nodes, *self._watched} - {*nodes, *watched}
        self._nodes, self._watched = nodes, watched
        if nodes:
            self._has_nodes.set()
        else:
            self._has_nodes.clear()
        self._discard_breakers(_breakers_of(gone))

    def _make(self, rpc: RpcConfig) -> Engine:
        client = self._client(replace(rpc, max_in_flight=self._share()))
        self.chain = ChainView(client)
        self.chain.on_reorg = self._reorganised
        fetcher = self._fetcher = CachedFetcher(client, self._cache, finality=self.chain)
        grounds = Grounds(
            chain_id=rpc.chain_id,
            checkpoint=self._config.checkpoint,
            lineage=lineage_to(self._config.checkpoint),
            finality=self.chain,
            others=client,
        )
        choices = Choices(lambda mode, kinds: fetcher.view(kinds, client.mode(mode)))
        engine = Engine(client=client, fetcher=fetcher, grounds=grounds, choices=choices)
        self._cache.part_below = _both(self._cache.part_below, engine.forget)
        return self._switchboard.equip(engine)

    async def _start(self) -> None:
        self._has_begun = True
        if self.chain is not None and self._fetcher is not None:
            self.chain.start()
            self._fetcher.start()
        if self._default is not None:
            self._default.client.watch_heads()

    async def _stop(self) -> None:
        if self.chain is not None:
            await self.chain.aclose()
        if self._fetcher is not None:
            await self._fetcher.aclose()
        await asyncio.gather(*(engine.client.aclose() for engine in self._engines()))
        await self._budgets.aclose()
        if self._fleet is not None:
            await self._fleet.aclose()

    def _client(self, config: RpcConfig) -> RpcClient:
        return RpcClient(config, breakers=self._registry, budget=self._budgets, turns=self._turns)

    def _engines(self) -> list[Engine]:
        """A copy: another thread may add one."""
        own = list(self._own.values())
        return own if self._default is None else [self._default, *own]

    async def _shared_engine(self) -> Engine | None:
        """None where no node is in service, nor comes to be within a moment."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._has_nodes.wait(), _NODE_WAIT_S)
        return self._default if self._nodes else None

    def _own_engine(self, node_urls: tuple[str, ...]) -> Engine:
        """Runs that name nodes ask those nodes, and no cache: they want to know what *they* say."""
        engine = self._own.pop(node_urls, None)
        if engine is not None:
            self._own[node_urls] = engine  # the last to be forgotten
        else:
            nodes = [NodeUrl.parse(url) for url in dict.fromkeys(node_urls)]
            config = replace(self._config.own_nodes(nodes), max_in_flight=self._share())
            client = self._client(config)
            grounds = grounds_of(config, client, self._config.checkpoint)
            choices = Choices(lambda mode, _kinds: client.mode(mode))
            engine = Engine(client=client, fetcher=client, grounds=grounds, choices=choices)
            self._own[node_urls] = self._switchboard.equip(engine)
            self._forget_oldest()
        return engine

    def _forget_oldest(self) -> None:
        """Such clients are kept for a while, not for ever."""
        if len(self._own) > _CLIENTS_KEPT:
            oldest = self._own.pop(next(iter(self._own)))
            self._portal.submit(oldest.client.aclose())
            self._discard_breakers(oldest.client.breaker_names())

    def _discard_breakers(self, names: Iterable[str]) -> None:
        """Those that stand before no node any more."""
        asked = {name for engine in self._engines() for name in engine.client.breaker_names()}
        asked |= _breakers_of((*self._nodes, *self._watched))
        for name in set(names) - asked:
            self._registry.discard(name)

    def _node_reports(self) -> tuple[NodeReport, ...]:
        engine = self._default
        return (
            ()
            if engine is None
            else tuple(NodeReport(**asdict(node)) for node in engine.client.nodes())
        )

    def _pool(self) -> int:
        """Who shares this memory, where nobody else can count them."""
        return min(siblings(), self._config.processes)

    def _share(self) -> int:
        return max(1, self._config.max_in_flight // self._processes)

    def _is_orphaned(self, block_hash: str) -> bool:
        return self.chain is not None and self.chain.is_orphaned(block_hash)

    def _reorganised(self, blocks: tuple[BlockRef, ...]) -> None:
        if self._fetcher is not None:
            self._fetcher.forget_blocks([block.hash for block in blocks])
        self._changed("caches")

    def _breaker_changed(self, change: Change) -> None:
        for topic in ("breakers", f"breaker:{change.name}", "overview"):
            self._changed(topic)


def _both(one: Callable[[], None] | None, other: Callable[[], None]) -> Callable[[], None]:
    """What a purge of the cache has done to all that remembers or shares beside it."""

    def part() -> None:
        if one is not None:
            one()
        other()

    return part


def _named(config: RpcConfig | None) -> frozenset[str]:
    """The breakers there always are: those of the configured nodes, and L2's."""
    return frozenset(_breakers_of(() if config is None else config.nodes)) | {L2_BREAKER}


def _breakers_of(nodes: Iterable[NodeUrl]) -> set[str]:
    return {breaker_name(node, kind) for node in nodes for kind in CLASSES}
