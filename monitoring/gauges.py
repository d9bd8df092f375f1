"""Gauges of the fleet, from what its live worker processes say of themselves."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, get_args

from monitoring.samples import Sample
from monitoring.snapshots import WorkerSnapshot, WorkerState

BREAKER_STATES: Final = (
    *("closed", "open", "half_open"),
    *("forced_open", "forced_closed", "metrics_only", "disabled"),
)


def of_workers(workers: Iterable[WorkerSnapshot]) -> tuple[Sample, ...]:
    """`workers` in any state; only those that are up have a word in anything but their count."""
    workers = list(workers)
    up = [worker for worker in workers if worker.state == "up"]
    return (*_workers(workers), *_breakers(up), *_pools(up), *_caches(up), *_in_flight(up))


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


def _gauge(name: str, value: float, **labels: str) -> Sample:
    return Sample(f"switchyard_{name}", labels, value)
