"""The RPC client: one a process, in one event loop. A fetch is one round trip to one node."""

import asyncio
import time
from collections.abc import Callable, Sequence
from random import Random, SystemRandom
from typing import Any

from validation.resilience import BreakerConfig, Breakers
from validation.rpc import metrics
from validation.rpc.calls import Call, Reply
from validation.rpc.classes import CLASSES, breaker_name, shape_of
from validation.rpc.config import RpcConfig, check_name
from validation.rpc.counters import Counters, NodeCounters
from validation.rpc.deadlines import Deadlines
from validation.rpc.dedup import Sharing
from validation.rpc.dispatch import Dispatcher
from validation.rpc.endpoints import NodeUrl
from validation.rpc.errors import ClientClosed, DeadlineExceeded, NodeTimeout, NoNode, RpcError
from validation.rpc.exchange import Exchange
from validation.rpc.forms import FORMS, WITH_OTHERS, Form
from validation.rpc.groups import Group, Waiter
from validation.rpc.lanes import Parts
from validation.rpc.limiters import make_limiter
from validation.rpc.modes import Asks, Mode
from validation.rpc.rates import RateBudgets
from validation.rpc.reports import NodeState, PoolState, counts_of, nodes_of, pools_of
from validation.rpc.seams import Posts
from validation.rpc.steering import Running, Steered
from validation.rpc.transport import Transport
from validation.rpc.turns import ProbeTurns
from validation.rpc.wire import fragment


class RpcClient(Steered):
    """Asks nodes on behalf of many at once. Make it anywhere; use it in one event loop only.

    `breakers`, `budget` and `turns` are the process's and outlive the client. Without breakers
    nothing keeps calls from a node that fails; without the others it is a fleet of its own.
    """

    def __init__(
        self,
        config: RpcConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Random | None = None,
        transport: Posts | None = None,
        breakers: Breakers | None = None,
        budget: RateBudgets | None = None,
        turns: ProbeTurns | None = None,
    ) -> None:
        self._config = config
        self._nodes = config.nodes
        self._watched: tuple[NodeUrl, ...] = ()
        rates = RateBudgets(clock=clock) if budget is None else budget
        self._own_budget = rates if budget is None else None
        self._parts = Parts(
            config=config,
            breakers=Breakers({"": BreakerConfig(use="off")}) if breakers is None else breakers,
            rates=rates,
            turns=turns or ProbeTurns(),
            clock=clock,
            random=random or SystemRandom(),
        )
        super().__init__(
            config,
            clock=clock,
            transport=transport or Transport(config),
            sharing=Sharing(is_on=config.sharing),
        )
        self._modes: dict[str, Asks] = {
            name: self if form is WITH_OTHERS else Mode(form, self._fetch_as)
            for name, form in FORMS.items()
        }
        self._counters = Counters()
        self._is_closed = False

    async def fetch(
        self, calls: Sequence[Call], *, timeout_s: float | None = None, fresh: bool = False
    ) -> Reply:
        """The values of all calls, in one batch from one node; or the one RpcError that ended it
        after retries and failover. Cancelling it disturbs nobody who waits for the same. A `fresh`
        one shares no answer of a question that was sent before it.
        """
        waiter = self._ask(calls, timeout_s, fresh, WITH_OTHERS)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def mode(self, name: str) -> Asks:
        """The client asking in one of `forms.FORMS`: an item's calls one after the other, each by
        itself at once, in a batch of their own, or coalesced with those of others as `fetch` does.
        """
        check_name("fetch_mode", name)
        return self._modes[name]

    async def fetch_from(
        self, node: str, calls: Sequence[Call], *, timeout_s: float | None = None
    ) -> Reply:
        """As `fetch`, of the node with this label and no other; `NoNode` where it is not in
        service, and no waiting for a breaker that is against it.
        """
        waiter = self._ask(calls, timeout_s, True, WITH_OTHERS, node)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def part(self) -> None:
        """What is asked from now on shares no answer of a question that is with a node already:
        that may be older than what it is asked for. Any thread may call it.
        """
        engine = self._engine
        if engine is not None:
            self._sharing.part(engine.loop.time())

    def set_nodes(self, nodes: tuple[NodeUrl, ...], *, watched: tuple[NodeUrl, ...] = ()) -> None:
        """Asks these nodes from now on, in this order of preference, and has an eye on those
        `watched`, which are not in service. Any thread may call it. What waits for another node is
        asked of these; what is with one ends by itself. Without any node a fetch raises `NoNode`.
        """
        if len(set(nodes)) != len(nodes):
            raise ValueError("nodes: the same URL is listed twice")
        self._nodes, self._watched = nodes, watched
        self._in_loop(self._apply_nodes)

    def watch_heads(self, *, every_s: float = 5.0) -> None:
        """Asks each node for its newest block now and then. To be called in the loop."""
        (self._engine or self._start()).dispatcher.watch.start(every_s)

    def labels(self) -> tuple[str, ...]:
        """Of the nodes in service, best first. Any thread may ask."""
        if self._engine is None:
            return tuple(node.label for node in self._nodes)
        return self._engine.dispatcher.labels()

    def nodes(self) -> list[NodeState]:
        """What is known of each node, those that are only watched last; nothing before the first
        fetch. Any thread may ask.
        """
        return [] if self._engine is None else nodes_of(self._engine.dispatcher.ways.known)

    def breaker_names(self) -> list[str]:
        """Of the breakers that stand before this client's nodes, also the watched: they are in
        service again any moment.
        """
        nodes = dict.fromkeys((*self._nodes, *self._watched))
        return [breaker_name(node, kind) for node in nodes for kind in CLASSES]

    def pools(self) -> list[PoolState]:
        """What is used of each node; nothing before the first fetch. Any thread may ask."""
        if self._engine is None:
            return []
        return pools_of(
            self._engine.dispatcher.lanes,
            config=self._config,
            transport=self._transport,
            limiter=self._limiter,
        )

    async def aclose(self) -> None:
        """Fails whatever still waits with `ClientClosed` and closes every connection."""
        self._is_closed = True
        if self._engine is not None:
            await self._engine.dispatcher.aclose()
        if self._own_budget is not None:
            await self._own_budget.aclose()
        await self._transport.aclose()

    def snapshot(self) -> dict[str, Any]:
        """Counts since the start and what is under way, by node label. Any thread may ask."""
        counters = self._counters
        if self._engine is None:
            nodes, sums = counts_of((), NodeCounters(), self._transport)
        else:
            ways = self._engine.dispatcher.ways
            nodes, sums = counts_of(ways.known, ways.left, self._transport)
        return {
            "fetches": counters.fetches,
            "shared": counters.shared,
            "retries": dict(counters.retries),
            "hedged": counters.hedged,
            "hedges_won": counters.hedges_won,
            **sums,
            "max_in_flight": self._max_in_flight,
            "nodes": nodes,
        }

    async def _fetch_as(
        self, calls: Sequence[Call], timeout_s: float | None, fresh: bool, form: Form
    ) -> Reply:
        waiter = self._ask(calls, timeout_s, fresh, form)
        try:
            return await waiter.future
        except asyncio.CancelledError:
            self._leave(waiter)
            raise

    def _ask(
        self,
        calls: Sequence[Call],
        timeout_s: float | None,
        fresh: bool,
        form: Form,
        node: str | None = None,
    ) -> Waiter:
        if not calls:
            raise ValueError("calls: a fetch needs at least one")
        engine = self._engine or self._start()
        timeout_s = self._config.total_timeout_s if timeout_s is None else timeout_s
        if timeout_s <= 0:
            raise DeadlineExceeded("no time was left to ask")
        fragments = [fragment(call) for call in calls]
        waiter = Waiter(
            calls,
            future=engine.loop.create_future(),
            deadline=engine.loop.time() + timeout_s,
            timeout_s=timeout_s,
        )
        self._counters.fetches += 1
        if node is not None:
            self._ask_one(waiter, fragments, node, engine)
        elif self._sharing.join(waiter, fragments, fresh=fresh):
            self._counters.shared += len(calls)
            metrics.shared(len(calls))
        else:
            group = Group(fragments, shape=shape_of(calls), form=form, shares=self._sharing.is_on)
            group.join(waiter, fragments)
            engine.dispatcher.start(group)
            self._sharing.add(group, fresh=fresh)
        engine.deadlines.watch(waiter)
        return waiter

    def _ask_one(self, waiter: Waiter, fragments: list[bytes], node: str, engine: Running) -> None:
        """Shares nothing: what others asked may be answered by any node."""
        lane = engine.dispatcher.ways.of(node)
        if lane is None:
            raise NoNode("is not in service", node=node)
        group = Group(fragments, shape=shape_of(waiter.calls), only=lane)
        group.join(waiter, fragments)
        engine.dispatcher.start(group)

    def _start(self) -> Running:
        if self._is_closed:
            raise ClientClosed("the client is closed")
        loop = asyncio.get_running_loop()
        dispatcher = Dispatcher(
            self._parts,
            exchange=Exchange(self._config, self._transport),
            counters=self._counters,
            loop=loop,
            done=self._group_done,
        )
        engine = Running(loop, dispatcher, Deadlines(loop, expire=self._expire))
        self._engine = engine
        self._apply_nodes(engine)
        self._apply_all(engine)
        return engine

    def _apply_nodes(self, engine: Running) -> None:
        for lane in engine.dispatcher.set_nodes(self._nodes, self._watched):
            lane.limits.limiter = make_limiter(self._limiter, self._max_in_flight, self._clock)
            lane.limits.max_requests = self._pool_size

    def _group_done(self, group: Group) -> None:
        self._sharing.remove(group)
        if self._engine is not None:
            for waiter in group.waiters:
                self._engine.deadlines.forget(waiter)

    def _expire(self, waiter: Waiter) -> None:
        """The total deadline of a fetch has passed."""
        group, engine = waiter.group, self._engine
        if waiter.future.done() or group is None or engine is None:
            return
        error = self._too_late(waiter, group, engine)
        if isinstance(error, NodeTimeout):
            engine.dispatcher.blame(group, error)
        waiter.fail(error)
        self._leave(waiter)

    def _too_late(self, waiter: Waiter, group: Group, engine: Running) -> RpcError:
        """Whose fault it is: the node's if it had its last request for at least half of it."""
        batch = group.batch
        if batch is not None and engine.loop.time() - batch.posted_at >= waiter.timeout_s / 2:
            node = "" if group.node is None else group.node.node.label
            return NodeTimeout(f"no whole answer within {waiter.timeout_s:g} s", node=node)
        hindrance = engine.dispatcher.hindrance(group)
        if hindrance is not None:
            return hindrance
        last = f"; the last attempt: {group.last_error}" if group.last_error else ""
        error = DeadlineExceeded(f"the time of {waiter.timeout_s:g} s ran out{last}")
        error.__cause__ = group.last_error
        return error

    def _leave(self, waiter: Waiter) -> None:
        """A fetch ended before its answer. The last to leave takes the group with it."""
        group, engine = waiter.group, self._engine
        if group is None or engine is None or waiter not in group.waiters:
            return
        group.waiters.remove(waiter)
        engine.deadlines.forget(waiter)
        if not group.waiters:
            self._sharing.remove(group)
            engine.dispatcher.abandon(group)
