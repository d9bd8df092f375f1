"""The ways to all nodes: each with its limits, its breakers, its record, made and freed live."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from validation.resilience import Breakers
from validation.rpc.batching import Lane, Launch
from validation.rpc.classes import CLASSES, breaker_name
from validation.rpc.config import RpcConfig
from validation.rpc.counters import NodeCounters
from validation.rpc.endpoints import NodeUrl
from validation.rpc.exchange import Exchange
from validation.rpc.groups import Group
from validation.rpc.limiters import make_limiter
from validation.rpc.limits import NodeLimits
from validation.rpc.queues import Queue
from validation.rpc.rates import RateBudgets
from validation.rpc.record import NodeRecord
from validation.rpc.turns import ProbeTurns


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a client is made of; `breakers`, `rates` and `turns` are the process's."""

    config: RpcConfig
    breakers: Breakers
    rates: RateBudgets
    turns: ProbeTurns
    clock: Callable[[], float]
    random: Random


class Lanes:
    """`serving` in order of preference; `known` are those and the watched. Both are replaced and
    never changed: any thread may read them.
    """

    def __init__(
        self,
        parts: Parts,
        exchange: Exchange,
        *,
        loop: asyncio.AbstractEventLoop,
        launch: Launch,
        stuck: Callable[[], None],
    ) -> None:
        self.serving: tuple[Lane, ...] = ()
        self.known: tuple[Lane, ...] = ()
        self.left = NodeCounters()
        """Of those that are gone, so that no sum over all nodes ever shrinks."""
        self._parts = parts
        self._exchange = exchange
        self._loop = loop
        self._launch = launch
        self._stuck = stuck
        self._serial = itertools.count()

    def set(
        self, nodes: Sequence[NodeUrl], watched: Sequence[NodeUrl]
    ) -> tuple[list[Group], list[Lane]]:
        """Groups that waited for a node that is in service no longer, and the lanes that are new.
        Who stays keeps what is known of him; who goes is freed when nothing is with him any more.
        """
        before = {lane.node: lane for lane in self.known}
        aside = [node for node in dict.fromkeys(watched) if node not in nodes]
        made = [self._make(node) for node in (*nodes, *aside) if node not in before]
        waiting: list[Group] = []
        found = before | {lane.node: lane for lane in made}
        serving = tuple(found[node] for node in nodes)
        self.known = (*serving, *(found[node] for node in aside))
        self.serving = serving
        for rank, lane in enumerate(serving):
            lane.rank, lane.in_service = rank, True
        for lane in found.values():
            if lane not in serving:
                waiting += lane.leave()
            if lane not in self.known:
                lane.retire(self._freeing(lane))
        return waiting, made

    def of(self, label: str) -> Lane | None:
        """That of a node in service."""
        return next((lane for lane in self.serving if lane.node.label == label), None)

    def _freeing(self, lane: Lane) -> Callable[[], None]:
        def free() -> None:
            lane.close()
            self.left.add(lane.record.counters)
            if all(other.node != lane.node for other in self.known):  # it may be back
                self._exchange.forget(lane.node)

        return free

    def _make(self, node: NodeUrl) -> Lane:
        parts = self._parts
        return Lane(
            next(self._serial),
            node,
            _limits(parts, node),
            tuple(Queue(kind, parts.breakers.get(breaker_name(node, kind))) for kind in CLASSES),
            config=parts.config,
            record=NodeRecord(parts.clock),
            loop=self._loop,
            must_ask_chain=self._exchange.must_ask_chain,
            resting=parts.rates.resting,
            launch=self._launch,
            stuck=self._stuck,
        )


def _limits(parts: Parts, node: NodeUrl) -> NodeLimits:
    config = parts.config
    limiter = make_limiter(config.limiter, config.max_in_flight, parts.clock)
    rate = config.rate_limit
    lease = None if rate is None else parts.rates.lease(node.label, rate)
    return NodeLimits(config, limiter, lease)
