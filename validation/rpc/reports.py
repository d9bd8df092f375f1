"""What a process uses and knows of each node, in plain values for whoever publishes them.

The fields are those of `monitoring.snapshots`' PoolReport and NodeReport, which say what each
means.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from validation.rpc.batching import Lane
from validation.rpc.config import RpcConfig
from validation.rpc.counters import NodeCounters
from validation.rpc.recent import RecentTimes
from validation.rpc.seams import Posts


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolState:
    """One node's pool: sockets, the calls under its limiter, and the times of the last minute."""

    pool: str
    used: int
    idle: int
    max: int
    in_flight: int
    waiting: int
    limit: int
    limit_max: int
    limiter: str
    wait_p50_ms: float | None
    wait_p95_ms: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    score: float | None
    rate_limit: float | None
    dialled: int
    requests: int
    calls: int
    failures: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeState:
    """One node: where its chain ends, how fast it is, how it fails."""

    label: str
    in_service: bool
    head: int | None
    head_age_s: float | None
    lag: int | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    score: float | None
    failures: dict[str, int]


def nodes_of(lanes: Sequence[Lane]) -> list[NodeState]:
    """Any thread may ask."""
    heads = [lane.record.head for lane in lanes]
    best = max((head for head in heads if head is not None), default=None)
    return [_node_of(lane, best) for lane in lanes]


def _node_of(lane: Lane, best: int | None) -> NodeState:
    record = lane.record
    head = record.head
    p50_ms, p95_ms = _percentiles_ms(record.rtts)
    if p50_ms is None:
        p50_ms, p95_ms = _percentiles_ms(record.head_rtts)
    return NodeState(
        label=lane.node.label,
        in_service=lane.in_service,
        head=head,
        head_age_s=record.head_age_s(),
        lag=None if head is None or best is None else max(0, best - head),
        latency_p50_ms=p50_ms,
        latency_p95_ms=p95_ms,
        score=record.score if lane.in_service else None,
        failures=dict(record.counters.failures + record.watch_failures),
    )


def counts_of(
    lanes: Sequence[Lane], left: NodeCounters, transport: Posts
) -> tuple[dict[str, dict[str, Any]], dict[str, int]]:
    """Of each node by its label, and of all together with those that left. Any thread may ask."""
    nodes = {
        lane.node.label: lane.record.counters.as_dict()
        | {
            "in_flight": lane.limits.in_flight,
            "in_flight_max": lane.limits.in_flight_max_seen,
            "waiting": lane.limits.waiting,
            "connections_made": transport.dialled(lane.node),
            "rests_s": lane.rests_s(),
        }
        for lane in lanes
    }
    before = left.as_dict()
    return nodes, {
        name: before.get(name, 0) + sum(node[name] for node in nodes.values())
        for name in ("in_flight", "waiting", "requests", "batches", "calls")
    }


def pools_of(
    lanes: Sequence[Lane], *, config: RpcConfig, transport: Posts, limiter: str
) -> list[PoolState]:
    """Any thread may ask."""
    return [_pool_of(lane, config=config, transport=transport, limiter=limiter) for lane in lanes]


def _pool_of(lane: Lane, *, config: RpcConfig, transport: Posts, limiter: str) -> PoolState:
    used, idle = transport.sockets(lane.node)
    limits, record = lane.limits, lane.record
    wait_p50_ms, wait_p95_ms = _percentiles_ms(record.waits)
    rtt_p50_ms, rtt_p95_ms = _percentiles_ms(record.rtts)
    return PoolState(
        pool=lane.node.label,
        used=used,
        idle=idle,
        max=limits.max_requests,
        in_flight=limits.in_flight,
        waiting=limits.waiting,
        limit=limits.limiter.limit,
        limit_max=limits.limiter.limit_max,
        limiter=limiter,
        wait_p50_ms=wait_p50_ms,
        wait_p95_ms=wait_p95_ms,
        rtt_p50_ms=rtt_p50_ms,
        rtt_p95_ms=rtt_p95_ms,
        score=record.score,
        rate_limit=config.rate_limit,
        dialled=transport.dialled(lane.node),
        requests=record.counters.requests,
        calls=record.counters.calls,
        failures=dict(record.counters.failures),
    )


def _percentiles_ms(times: RecentTimes) -> tuple[float | None, float | None]:
    found = times.quantiles(0.5, 0.95)
    return (None, None) if found is None else (found[0] * 1000, found[1] * 1000)
