"""Builds the way to each node: its limits, its breakers, its record."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from validation.resilience import Breakers
from validation.rpc.batching import Lane, Launch
from validation.rpc.classes import CLASSES, breaker_name
from validation.rpc.config import RpcConfig
from validation.rpc.endpoints import NodeUrl
from validation.rpc.exchange import Exchange
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


def make_lanes(
    parts: Parts,
    exchange: Exchange,
    *,
    loop: asyncio.AbstractEventLoop,
    launch: Launch,
    stuck: Callable[[], None],
) -> list[Lane]:
    """A lane a node, in the order of the configuration."""
    return [
        Lane(
            index,
            node,
            _limits(parts, node),
            tuple(Queue(kind, parts.breakers.get(breaker_name(node, kind))) for kind in CLASSES),
            config=parts.config,
            record=NodeRecord(parts.clock),
            loop=loop,
            must_ask_chain=exchange.must_ask_chain,
            resting=parts.rates.resting,
            launch=launch,
            stuck=stuck,
        )
        for index, node in enumerate(parts.config.nodes)
    ]


def _limits(parts: Parts, node: NodeUrl) -> NodeLimits:
    config = parts.config
    limiter = make_limiter(config.limiter, config.max_in_flight, parts.clock)
    rate = config.rate_limit
    lease = None if rate is None else parts.rates.lease(node.label, rate)
    return NodeLimits(config, limiter, lease)
