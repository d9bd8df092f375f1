"""What the collector last saw of the servers, as Prometheus reads it: each source's newest sample,
how old that is, and whether the source answered. Labels are sources, states and kinds alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client.metrics_core import Metric

from monitoring.alerts import turns
from monitoring.collectors import celery, pgbouncer, postgres, replicas, told, valkey
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.pgbouncer import PgBouncerSample
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample
from monitoring.samples import Sample

# A sample that is older says what was: `collected_age_seconds` goes on, its figures end.
FRESH_S: Final = 60.0

GAUGES: Final = {
    f"switchyard_{name}": text
    for name, text in {
        "collected_up": "Whether the source answered the collector's last look.",
        "collected_age_seconds": "How old the newest sample of the source is.",
        "postgres_connections": "Connections to the server by state.",
        "postgres_connections_max": "Connections that the server grants, without reserved slots.",
        "postgres_lock_waits": "Sessions that wait for a lock.",
        "postgres_longest_lock_wait_seconds": "How long the first of those that wait does.",
        "postgres_longest_transaction_seconds": "How long the oldest open transaction lasts.",
        "postgres_slowest_statement_seconds": "Mean time of the slowest kind of statement.",
        "postgres_database_bytes": "Size of the database.",
        "postgres_replication_lag_bytes": "WAL that the farthest behind has not replayed yet.",
        "replication_lag_seconds": "How far the replica is behind what was written.",
        "replication_lag_bytes": "WAL that the replica has not replayed yet.",
        "replica_in_use": "Whether safe reads of web processes may go to the replica.",
        "replica_up": "Whether the replica answered the last look.",
        "valkey_memory_bytes": "Memory that the server uses.",
        "valkey_memory_max_bytes": "Memory that it may use; absent where it has no limit.",
        "valkey_clients": "Its clients.",
        "queue_messages": "Wake-ups that wait in the queue.",
        "queue_unacknowledged_messages": "Wake-ups that a worker has heard and not done with.",
        "queue_oldest_seconds": "How long the oldest wake-up waits; 0: none does.",
        "pgbouncer_clients": "Clients of PgBouncer: active, or waiting for a connection.",
        "pgbouncer_clients_max": "Clients that PgBouncer accepts.",
        "pgbouncer_servers": "Connections of PgBouncer to Postgres: used, idle.",
        "pgbouncer_longest_wait_seconds": "How long the first of those that wait does.",
    }.items()
}
COUNTERS: Final = {
    f"switchyard_{name}": text
    for name, text in {
        "postgres_transactions": "Transactions by how they ended: commit, rollback.",
        "postgres_blocks": "Blocks that were read, from: cache, disk.",
        "postgres_deadlocks": "Deadlocks.",
        "postgres_checkpoints": "Checkpoints by why: timed, requested.",
        "valkey_lookups": "Look-ups of keys by result: hit, miss.",
        "valkey_evicted_keys": "Keys that were dropped for want of memory.",
        "valkey_commands": "Commands done.",
        "pgbouncer_transactions": "Transactions through PgBouncer.",
        "pgbouncer_wait_seconds": "Time that clients waited for a connection, added up.",
    }.items()
}
_SERVERS: Final = {valkey.CACHE: "cache", valkey.BROKER: "broker"}


def families() -> tuple[Metric, ...]:
    """Of every source that was ever looked at lately; none while Valkey cannot be asked."""
    return tuple(_metrics(_samples()))


def _samples() -> Iterator[Sample]:
    of_postgres = told.read(postgres.SOURCE, PostgresSample)
    yield from _standing(postgres.SOURCE, of_postgres)
    if sample := _fresh(of_postgres):
        yield from _of_postgres(sample)
    for source, server in _SERVERS.items():
        of_valkey = told.read(source, ValkeySample)
        yield from _standing(source, of_valkey)
        if found := _fresh(of_valkey):
            yield from _of_valkey(server, found)
    yield from _of_replicas()
    of_celery = told.read(celery.SOURCE, CelerySample)
    yield from _standing(celery.SOURCE, of_celery)
    if queue := _fresh(of_celery):
        yield from _of_queue(queue)
    yield from _standing(turns.SOURCE, told.read(turns.SOURCE, turns.Look))
    of_pgbouncer = told.read(pgbouncer.SOURCE, PgBouncerSample)
    yield from _standing(pgbouncer.SOURCE, of_pgbouncer)
    if pooler := _fresh(of_pgbouncer):
        yield from _of_pgbouncer(pooler)


def _fresh[T](found: Told[T]) -> T | None:
    return found.sample if found.age_s is not None and found.age_s <= FRESH_S else None


def _standing[T](source: str, found: Told[T]) -> Iterator[Sample]:
    if found.sample is None and not found.failure:
        return
    yield _one("collected_up", not found.failure, source=source)
    if found.age_s is not None:
        yield _one("collected_age_seconds", found.age_s, source=source)


def _of_postgres(sample: PostgresSample) -> Iterator[Sample]:
    server = sample.server
    yield _one("postgres_connections_max", server.max_connections - server.reserved)
    if sample.connections is not None:
        yield from _of_connections(sample)
    if sample.blocked is not None:
        waits = max((one.waits_s for one in sample.blocked), default=0.0)
        yield _one("postgres_longest_lock_wait_seconds", waits)
    if sample.statements and sample.statements.slowest:
        slowest = max(one.mean_ms for one in sample.statements.slowest)
        yield _one("postgres_slowest_statement_seconds", slowest / 1000)
    if sample.sizes:
        yield _one("postgres_database_bytes", sample.sizes.database_bytes)
    lags = [one.lag_bytes for one in sample.replicas or () if one.lag_bytes is not None]
    if lags:
        yield _one("postgres_replication_lag_bytes", max(lags))
    if counts := sample.counts:
        yield _one("postgres_transactions_total", counts.commits, result="commit")
        yield _one("postgres_transactions_total", counts.rollbacks, result="rollback")
        yield _one("postgres_blocks_total", counts.blocks_hit, source="cache")
        yield _one("postgres_blocks_total", counts.blocks_read, source="disk")
        yield _one("postgres_deadlocks_total", counts.deadlocks)
    if checkpoints := sample.checkpoints:
        yield _one("postgres_checkpoints_total", checkpoints.timed, reason="timed")
        yield _one("postgres_checkpoints_total", checkpoints.requested, reason="requested")


def _of_replicas() -> Iterator[Sample]:
    for one in replicas.standing():
        yield _one("replica_up", one.reachable, replica=one.label)
        yield _one("replica_in_use", one.in_use, replica=one.label)
        if one.lag_s is not None:
            yield _one("replication_lag_seconds", one.lag_s, replica=one.label)
        if one.lag_bytes is not None:
            yield _one("replication_lag_bytes", one.lag_bytes, replica=one.label)


def _of_connections(sample: PostgresSample) -> Iterator[Sample]:
    found = sample.connections or ()
    by_state: dict[str, int] = defaultdict(int, {"active": 0, "idle": 0, "idle in transaction": 0})
    for one in found:
        by_state[one.state] += one.number
    for state, number in by_state.items():
        yield _one("postgres_connections", number, state=state)
    yield _one("postgres_lock_waits", sum(one.on_locks for one in found))
    longest = max((one.transaction_s or 0.0 for one in found), default=0.0)
    yield _one("postgres_longest_transaction_seconds", longest)


def _of_valkey(server: str, sample: ValkeySample) -> Iterator[Sample]:
    yield _one("valkey_memory_bytes", sample.used_bytes, server=server)
    if sample.max_bytes is not None:
        yield _one("valkey_memory_max_bytes", sample.max_bytes, server=server)
    yield _one("valkey_clients", sample.clients, server=server)
    yield _one("valkey_lookups_total", sample.hits, server=server, result="hit")
    yield _one("valkey_lookups_total", sample.misses, server=server, result="miss")
    yield _one("valkey_evicted_keys_total", sample.evicted, server=server)
    yield _one("valkey_commands_total", sample.commands, server=server)


def _of_queue(sample: CelerySample) -> Iterator[Sample]:
    yield _one("queue_messages", sample.length)
    yield _one("queue_unacknowledged_messages", sample.unacknowledged)
    if sample.oldest_s is not None or not sample.length:
        yield _one("queue_oldest_seconds", sample.oldest_s or 0.0)


def _of_pgbouncer(sample: PgBouncerSample) -> Iterator[Sample]:
    yield _one("pgbouncer_clients", sample.clients - sample.waiting, state="active")
    yield _one("pgbouncer_clients", sample.waiting, state="waiting")
    yield _one("pgbouncer_clients_max", sample.clients_max)
    yield _one("pgbouncer_servers", sum(pool.used for pool in sample.pools), state="used")
    yield _one("pgbouncer_servers", sum(pool.idle for pool in sample.pools), state="idle")
    yield _one("pgbouncer_longest_wait_seconds", sample.max_wait_s)
    yield _one("pgbouncer_transactions_total", sample.counts.transactions)
    yield _one("pgbouncer_wait_seconds_total", sample.counts.wait_us / 1_000_000)


def _one(name: str, value: float, **labels: str) -> Sample:
    return Sample(f"switchyard_{name}", labels, float(value))


def _metrics(samples: Iterable[Sample]) -> Iterator[Metric]:
    found: dict[str, Metric] = {}
    for sample in samples:
        name = sample.name.removesuffix("_total")
        is_counter = name in COUNTERS
        if name not in found:
            text = COUNTERS[name] if is_counter else GAUGES[name]
            found[name] = Metric(name, text, "counter" if is_counter else "gauge")
        found[name].add_sample(sample.name, sample.labels, sample.value)
    yield from found.values()
