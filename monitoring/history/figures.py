"""Which figures of a moment are kept, by name. Their list ends: no name holds what others chose."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from monitoring.collectors.celery import CelerySample
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.valkey import ValkeySample
from monitoring.samples import Sample
from monitoring.snapshots import WorkerSnapshot
from monitoring.totals import Reading

_OPEN = frozenset({"open", "forced_open"})
_HITS = frozenset({"hit", "negative", "stale"})
# None counted yet is none, where all that is counted is known.
_SUMS = (
    *("validations.all", "validations.not_valid", "rpc.all", "rpc.failed", "rpc.retries"),
    *("cache.lookups", "cache.hits", "http.all", "http.failed"),
)


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


def of_totals(reading: Reading) -> Iterator[Figure]:
    """Nothing while counters are not known as a whole: a part of them would look like a fall."""
    if reading.counters is None:
        return
    sums = dict.fromkeys(_SUMS, 0.0)
    for sample in reading.counters:
        for name in _totals_of(sample):
            sums[name] += sample.value
    for name, value in sums.items():
        yield _counter(name, value)


def _totals_of(sample: Sample) -> Iterator[str]:
    """The sums that a counter of the fleet belongs to."""
    labels = sample.labels
    match sample.name.removeprefix("switchyard_"):
        case "validations_total":
            yield from _both("validations", "not_valid", labels.get("verdict") != "valid")
        case "rpc_requests_total":
            yield from _both("rpc", "failed", labels.get("outcome") != "ok")
        case "rpc_retries_total":
            yield "rpc.retries"
        case "cache_requests_total":
            # L2 is asked for what L1 lacks: a look-up is counted once.
            yield from ["cache.lookups"] if labels.get("level") == "l1" else []
            yield from ["cache.hits"] if labels.get("result") in _HITS else []
        case "http_request_duration_seconds_count":
            yield from _both("http", "failed", labels.get("status", "").startswith("5"))


def _both(name: str, part: str, is_part: bool) -> tuple[str, ...]:
    return (f"{name}.all", f"{name}.{part}") if is_part else (f"{name}.all",)


def _gauge(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value))


def _counter(name: str, value: float) -> Figure:
    return Figure(name=name, value=float(value), counter=True)
