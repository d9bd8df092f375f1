"""Which figures of a moment are kept, by name. Their list ends: no name holds what others chose."""

import os
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from monitoring.collectors.celery import CelerySample
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.processes import ProcessesSample, ProcessFigures
from monitoring.collectors.valkey import ValkeySample
from monitoring.gauges import lag_of
from monitoring.history import distributions
from monitoring.lent import of_pools
from monitoring.samples import Sample
from monitoring.snapshots import WorkerSnapshot
from monitoring.totals import Reading

_OPEN = frozenset({"open", "forced_open"})
_HITS = frozenset({"hit", "negative", "stale"})
# Seconds, as the bucket is labelled.
_QUICK = "0.1"
# None counted yet is none, where all that is counted is known.
_SUMS = (
    *("validations.all", "validations.not_valid", "rpc.all", "rpc.failed", "rpc.retries"),
    *("cache.lookups", "cache.hits", "http.all", "http.failed", "http.quick", "validations.error"),
    *("tasks.all", "tasks.failed", "tasks.retried", "tasks.again", "queue.heard", "queue.waited_s"),
    *("cache.l1_hits", "cache.l2_lookups", "cache.l2_hits", "cache.l2_failed"),
    *("http.busy", "rpc.timeouts", "rpc.shared"),
    *distributions.NAMES,
)
_PLAIN: Final = {
    "rpc_shared_total": "rpc.shared",
    "rpc_retries_total": "rpc.retries",
    "queue_wait_seconds_count": "queue.heard",
    "queue_wait_seconds_sum": "queue.waited_s",
}
_FAILED: Final = frozenset({"error", "corrupt"})
_TIMEOUTS: Final = frozenset({"node_timeout", "deadline_exceeded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`counter`: grows from some start on; its differences are what it says."""

    name: str
    value: float
    counter: bool = False


def up(source: str, *, answered: bool) -> Figure:
    return Figure(name=f"{source}.up", value=float(answered))


def of_postgres(sample: PostgresSample) -> Iterator[Figure]:
    found = sample.connections or ()
    if sample.connections is not None:
        by_state: dict[str, int] = defaultdict(int)
        for one in found:
            by_state[one.state] += one.number
        yield _gauge("postgres.connections", sum(by_state.values()))
        yield _gauge("postgres.connections_active", by_state["active"])
        yield _gauge("postgres.idle_in_transaction", by_state["idle in transaction"])
        yield _gauge("postgres.waiting_on_locks", sum(one.on_locks for one in found))
        longest = max((one.transaction_s or 0.0 for one in found), default=0.0)
        yield _gauge("postgres.longest_transaction_s", longest)
    if counts := sample.counts:
        for name in ("commits", "rollbacks", "blocks_hit", "blocks_read", "deadlocks"):
            yield _counter(f"postgres.{name}", getattr(counts, name))
    if sample.sizes:
        yield _gauge("postgres.database_bytes", sample.sizes.database_bytes)
    lags = [one.lag_bytes for one in sample.replicas or () if one.lag_bytes is not None]
    if lags:
        yield _gauge("postgres.replication_lag_bytes", max(lags))


def of_valkey(source: str, sample: ValkeySample) -> Iterator[Figure]:
    for name in ("used_bytes", "clients"):
        yield _gauge(f"{source}.{name}", getattr(sample, name))
    for name in ("hits", "misses", "evicted", "commands"):
        yield _counter(f"{source}.{name}", getattr(sample, name))


def of_celery(sample: CelerySample) -> Iterator[Figure]:
    yield _gauge("celery.length", sample.length)
    yield _gauge("celery.unacknowledged", sample.unacknowledged)
    # Nothing waits: the oldest is of no age.
    yield _gauge("celery.oldest_s", sample.oldest_s or 0.0)


def of_pgbouncer(sample: PgBouncerSample) -> Iterator[Figure]:
    yield _gauge("pgbouncer.clients", sample.clients)
    yield _gauge("pgbouncer.waiting", sample.waiting)
    yield _gauge("pgbouncer.max_wait_s", sample.max_wait_s)
    yield _gauge("pgbouncer.used", sum(pool.used for pool in sample.pools))
    yield _counter("pgbouncer.transactions", sample.counts.transactions)
    yield _counter("pgbouncer.wait_us", sample.counts.wait_us)


def of_processes(sample: ProcessesSample) -> Iterator[Figure]:
    """By kind, of which there are three: sums, and the worst of what adds up to nothing."""
    for kind in ("worker", "web", "beat"):
        alive = [one for one in sample.processes if one.kind == kind]
        for name, add in _OF_PROCESSES:
            known = [value for one in alive if (value := getattr(one, name)) is not None]
            if known:
                yield _gauge(f"processes.{kind}.{name}", add(known))
    yield from _of_all(sample.processes)


def _of_all(alive: Sequence[ProcessFigures]) -> Iterator[Figure]:
    """Of all together, where each of them tells; of memory what each has to itself, with its part
    of what is shared, or else what is resident.
    """
    held = [one.rss_bytes if one.pss_bytes is None else one.pss_bytes for one in alive]
    if held and (known := _all(held)) is not None:
        yield _gauge("processes.memory_bytes", sum(known))
        yield _gauge("processes.largest_bytes", max(known))
    for name in ("gc_pause_s", "loop_lag_s"):
        if told := [value for one in alive if (value := getattr(one, name)) is not None]:
            yield _gauge(f"processes.{name}", max(told))
    here = f"{socket.gethostname()}:"
    # How many processors another machine has nobody tells.
    is_one = bool(alive) and all(one.id.startswith(here) for one in alive)
    if is_one and (busy := _all([one.cpu for one in alive])) is not None:
        yield _gauge("processes.cpu_of_machine", sum(busy) / (os.cpu_count() or 1))


def _all(values: Sequence[float | None]) -> list[float] | None:
    """None where one of them is not known: a part would look like a fall."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


_OF_PROCESSES: Final = (
    *(("rss_bytes", sum), ("pss_bytes", sum), ("cpu", sum), ("sockets", sum)),
    *(("fds_share", max), ("gc_pause_s", max), ("loop_lag_s", max)),
)


def of_workers(workers: Iterable[WorkerSnapshot]) -> Iterator[Figure]:
    seen = list(workers)
    alive = [worker for worker in seen if worker.state == "up"]
    yield _gauge("workers.up", len(alive))
    yield _gauge("workers.silent", len(seen) - len(alive))
    yield _gauge("workers.busy", sum(worker.busy for worker in alive))
    blocking = {b.name for worker in alive for b in worker.breakers if b.state in _OPEN}
    yield _gauge("breakers.open", len(blocking))
    pools = [pool for worker in alive for pool in worker.pools]
    yield _gauge("pools.in_flight", sum(pool.in_flight for pool in pools))
    yield _gauge("pools.waiting", sum(pool.waiting for pool in pools))
    yield _gauge("pools.sockets", sum(pool.used + pool.idle for pool in pools))
    yield from _of_guards(alive)
    yield from _of_nodes(alive)


def _of_guards(alive: list[WorkerSnapshot]) -> Iterator[Figure]:
    guards = [worker.memory for worker in alive if worker.memory is not None]
    shares = [g.used_bytes / g.limit_bytes for g in guards if g.used_bytes and g.limit_bytes]
    if shares:
        yield _gauge("workers.memory_share", max(shares))
    if guards:
        yield _gauge("workers.refusing", sum(guard.refuses for guard in guards))


def _of_nodes(alive: list[WorkerSnapshot]) -> Iterator[Figure]:
    """Of those in service, the one that is worst off: whose names end no list are in no name."""
    nodes = [node for worker in alive for node in worker.nodes if node.in_service]
    for name, field in (("head", "head"), ("p95_ms", "latency_p95_ms")):
        known = [value for node in nodes if (value := getattr(node, field)) is not None]
        if known:
            yield _gauge(f"nodes.{name}", max(known))
    labels = {node.label for node in nodes}
    lags = [lag_of(node for node in nodes if node.label == label) for label in labels]
    behind = [lag for lag in lags if lag is not None]
    if behind:
        yield _gauge("nodes.lag_blocks", max(behind))


def of_totals(reading: Reading) -> Iterator[Figure]:
    """Of counters nothing while they are not known as a whole: a part would look like a fall."""
    yield from _of_lent(reading)
    if reading.counters is None:
        return
    sums = dict.fromkeys(_SUMS, 0.0)
    for sample in reading.counters:
        for name in _totals_of(sample):
            sums[name] += sample.value
    for name, value in sums.items():
        yield _counter(name, value)


def _of_lent(reading: Reading) -> Iterator[Figure]:
    """Of the pools to databases, the one that is fullest, and the one where most wait."""
    found = tuple(of_pools(reading.live or ()))
    for name, gauge in (
        ("db.pool_used", "pool_used_worst_ratio"),
        ("db.pool_waiting", "pool_waiting_worst"),
    ):
        if told := [one.value for one in found if one.name == f"switchyard_{gauge}"]:
            yield _gauge(name, max(told))


def _totals_of(sample: Sample) -> Iterator[str]:
    """The sums that a counter of the fleet belongs to."""
    labels = sample.labels
    yield from distributions.names_of(sample)
    match name := sample.name.removeprefix("switchyard_"):
        case _ if name in _PLAIN:
            yield _PLAIN[name]
        case "validations_total":
            yield from _both("validations", "not_valid", labels.get("verdict") != "valid")
            yield from ["validations.error"] if labels.get("verdict") == "error" else []
        case "rpc_requests_total":
            yield from _of_call(labels.get("outcome", ""))
        case "tasks_total":
            yield from _of_task(labels.get("outcome", ""))
        case "cache_requests_total":
            yield from _of_cache(labels.get("level", ""), labels.get("result", ""))
        case "http_request_duration_seconds_count":
            yield from _of_answer(labels.get("status", ""))
        case "http_request_duration_seconds_bucket" if labels.get("le") == _QUICK:
            yield "http.quick"


def _of_call(outcome: str) -> Iterator[str]:
    yield from _both("rpc", "failed", outcome != "ok")
    if outcome in _TIMEOUTS:
        yield "rpc.timeouts"


def _of_answer(status: str) -> Iterator[str]:
    """503: no thread was free in time, or no connection."""
    yield from _both("http", "failed", status.startswith("5"))
    if status == "503":
        yield "http.busy"


def _of_cache(level: str, result: str) -> Iterator[str]:
    """L2 is asked for what L1 lacks: a look-up is counted once. What was skipped was not asked."""
    if level == "l1":
        yield "cache.lookups"
    elif result != "skipped":
        yield "cache.l2_lookups"
    if result in _HITS:
        yield from ("cache.hits", f"cache.{level}_hits")
    if level == "l2" and result in _FAILED:
        yield "cache.l2_failed"


def _of_task(outcome: str) -> tuple[str, ...]:
    """One that was delivered again or is retried has not ended yet."""
    ended = ("tasks.all",) if outcome in {"ok", "failed"} else ()
    return (*ended, f"tasks.{outcome}") if f"tasks.{outcome}" in _SUMS else ended


def _both(name: str, part: str, is_part: bool) -> tuple[str, ...]:
    return (f"{name}.all", f"{name}.{part}") if is_part else (f"{name}.all",)


def _gauge(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value))


def _counter(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value), counter=True)
