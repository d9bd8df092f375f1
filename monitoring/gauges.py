"""Gauges of the fleet, from what its live worker processes say of themselves."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from monitoring.samples import Sample
from monitoring.snapshots import NodeReport, WorkerSnapshot, WorkerState

BREAKER_STATES: Final = (
    *("closed", "open", "half_open"),
    *("forced_open", "forced_closed", "metrics_only", "disabled"),
)


def of_workers(workers: Iterable[WorkerSnapshot]) -> tuple[Sample, ...]:
    """`workers` in any state; only those that are up have a word in anything but their count."""
    workers = list(workers)
    up = [worker for worker in workers if worker.state == "up"]
    return (
        *_workers(workers), *_breakers(up), *_pools(up), *_caches(up), *_in_flight(up),
        *_memory(up), *_nodes(up),
    )  # fmt: skip


def _workers(workers: list[WorkerSnapshot]) -> Iterator[Sample]:
    states = [worker.state for worker in workers]
    for state in get_args(WorkerState.__value__):
        yield _gauge("workers", states.count(state), state=state)


def _breakers(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    seen: dict[str, list[str]] = defaultdict(list)
    for worker in up:
        for breaker in worker.breakers:
            seen[breaker.name].append(breaker.state)
    for name, states in seen.items():
        # One of a newer release may be in a state that we do not know yet.
        for state in dict.fromkeys((*BREAKER_STATES, *states)):
            workers = states.count(state)
            yield _gauge("breaker_state", min(workers, 1), breaker=name, state=state)
            yield _gauge("breaker_workers", workers, breaker=name, state=state)


def _pools(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    for pool in (pool for worker in up for pool in worker.pools):
        yield _gauge("pool_connections", pool.used, pool=pool.pool, state="used")
        yield _gauge("pool_connections", pool.idle, pool=pool.pool, state="idle")
        yield _gauge("pool_connections_max", pool.max, pool=pool.pool)


def _caches(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    for cache in (worker.cache for worker in up if worker.cache is not None):
        yield _gauge("cache_entries", cache.entries, level="l1")
        yield _gauge("cache_bytes", cache.bytes, level="l1")


def _in_flight(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    for worker in up:
        calls = worker.node.get("in_flight")
        if isinstance(calls, int):
            yield _gauge("rpc_in_flight", calls)


def _memory(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    guards = [worker.memory for worker in up if worker.memory is not None]
    if guards:
        yield _gauge("workers_refusing", sum(guard.refuses for guard in guards))
    for limit in (guard.limit_bytes for guard in guards if guard.limit_bytes is not None):
        yield _gauge("process_memory_limit_bytes", limit, process="worker")


def _nodes(up: list[WorkerSnapshot]) -> Iterator[Sample]:
    """One figure a node: each worker sees it by itself."""
    seen: dict[str, list[NodeReport]] = defaultdict(list)
    for worker in up:
        for node in worker.nodes:
            seen[node.label].append(node)
    for label, reports in seen.items():
        heads = [node.head for node in reports if node.head is not None]
        lag = lag_of(reports)
        if heads:
            yield _gauge("node_head", max(heads), node=label)
        if lag is not None:
            yield _gauge("node_lag_blocks", lag, node=label)
        for name, field in _LATENCIES:
            times = [ms for node in reports if (ms := getattr(node, field)) is not None]
            if times:
                yield _gauge(name, max(times) / 1000, node=label)


def lag_of(reports: Iterable[NodeReport]) -> int | None:
    """How far behind one node is, by the worker that knows most of it: another may not have asked
    it again yet. The same for alerts, history and Prometheus.
    """
    reports = list(reports)
    told = [node for node in reports if node.in_service] or reports
    return min((node.lag for node in told if node.lag is not None), default=None)


# Two gauges: a label "quantile" is for summaries alone.
_LATENCIES: Final = (
    ("node_latency_p50_seconds", "latency_p50_ms"),
    ("node_latency_p95_seconds", "latency_p95_ms"),
)


def _gauge(name: str, value: float, **labels: str) -> Sample:
    return Sample(f"switchyard_{name}", labels, value)
