"""The figures of the rules about servers, of what is known at a moment. None: not known now."""

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any, Final

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.looked import FRESH_S, Looked
from monitoring.alerts.rules import Observation
from monitoring.alerts.signals import Seen
from monitoring.collectors.postgres_samples import PostgresSample
from monitoring.collectors.replicas import ReplicaStanding
from monitoring.collectors.told import Told
from monitoring.collectors.valkey import ValkeySample
from monitoring.lent import LentPool, pools_of

_TEXT: Final = 160
_OFTEN: Final = RULES["postgres.slow_statement"].least


def _one(value: float | None, words: str = "", weight: float | None = None) -> Seen:
    return (Observation(subject="", value=value, weight=weight, words=words),)


def _fresh[T](told: Told[T] | None) -> T | None:
    if told is None or told.sample is None or told.age_s is None or told.age_s > FRESH_S:
        return None
    return told.sample


def _answers(told: Told[Any], name: str) -> Seen:
    """1 or 0, as the last look at it went."""
    if told.failure:
        return _one(0.0, f"{name} does not answer: {told.failure}")
    return _one(None if _fresh(told) is None else 1.0, f"{name} answers again.")


def _postgres_down(_: Looked) -> Seen:
    # Whoever asks has its answer in hand; that there is none is `monitoring.alerts.away`'s.
    return _one(1.0, "Postgres answers again.")


def _beat(looked: Looked) -> Seen:
    if looked.live is None:
        return None
    beats = sum(process.kind == "beat" for process in looked.live)
    return _one(beats, f"{beats} beat processes tell of themselves.")


def _pool_used(looked: Looked) -> Seen:
    return _pools(looked, _used)


def _pool_waits(looked: Looked) -> Seen:
    return _pools(looked, _waits)


def _pools(looked: Looked, of: Callable[[LentPool], Observation]) -> Seen:
    """By pool, of the process where it is worst: a request cannot borrow from another's. None: no
    process tells of any.
    """
    found: dict[str, list[Observation]] = defaultdict(list)
    for process in looked.live or ():
        for pool in pools_of(process):
            found[pool.name].append(of(pool))
    return tuple(max(told, key=_known_first) for _, told in sorted(found.items())) or None


def _known_first(one: Observation) -> tuple[bool, float]:
    return one.value is not None, one.value or 0.0


def _used(pool: LentPool) -> Observation:
    if pool.share is None:
        return Observation(subject=pool.name, value=None)
    words = f"{pool.used:g} of {pool.most:g} connections of {pool.name} are lent in {pool.process}."
    return Observation(subject=pool.name, value=pool.share, words=words)


def _waits(pool: LentPool) -> Observation:
    if pool.waiting is None:
        return Observation(subject=pool.name, value=None)
    words = f"{pool.waiting:g} requests wait for a connection of {pool.name} in {pool.process}."
    return Observation(subject=pool.name, value=pool.waiting, words=words)


def _postgres(looked: Looked, of: Callable[[PostgresSample], Seen]) -> Seen:
    sample = _fresh(looked.postgres)
    return None if sample is None else of(sample)


def _connections(sample: PostgresSample) -> Seen:
    if sample.connections is None:
        return None
    used = sum(one.number for one in sample.connections)
    most = sample.server.max_connections - sample.server.reserved
    words = f"{used} of {most} connections of Postgres are taken."
    return _one(used / most if most > 0 else None, words)


def _lock_waits(sample: PostgresSample) -> Seen:
    if sample.blocked is None:
        return None
    first = max(sample.blocked, key=lambda one: one.waits_s, default=None)
    if first is None:
        return _one(0.0, "No session waits for a lock.")
    by = ", ".join(map(str, first.blockers)) or "nobody that is known"
    words = (
        f"{len(sample.blocked)} wait; pid {first.pid} ({first.application}) for "
        f"{first.waits_s:.0f} s for {first.target}, held up by pid {by}."
    )
    return _one(first.waits_s, words)


def _long_transaction(sample: PostgresSample) -> Seen:
    if sample.connections is None:
        return None
    known = [one for one in sample.connections if one.transaction_s is not None]
    longest = max(known, key=lambda one: one.transaction_s or 0.0, default=None)
    if longest is None:
        return _one(0.0, "No transaction is open.")
    seconds = longest.transaction_s or 0.0
    return _one(
        seconds, f"{longest.application} has one open for {seconds:.0f} s ({longest.state})."
    )


def _slow_statement(least: float) -> Callable[[PostgresSample], Seen]:
    def of(sample: PostgresSample) -> Seen:
        # Since the server began says nothing of now.
        if sample.statements is None or sample.statements.window_s is None:
            return None
        often = [one for one in sample.statements.slowest if one.calls >= least]
        slowest = max(often, key=lambda one: one.mean_ms, default=None)
        if not sample.statements.slowest:
            return _one(None, weight=0.0)
        if slowest is None:
            return _one(0.0, "Nothing that takes time was called often.", weight=0.0)
        text = " ".join(slowest.text.split())[:_TEXT]
        words = f"{slowest.mean_ms:.0f} ms in the mean of {slowest.calls} calls: {text}"
        return _one(slowest.mean_ms / 1000, words, weight=slowest.calls)

    return of


def _blocks(looked: Looked) -> Seen:
    grown = looked.windows.grown
    if "postgres.blocks_hit" not in grown or "postgres.blocks_read" not in grown:
        return None
    hit, read = grown["postgres.blocks_hit"][5], grown["postgres.blocks_read"][5]
    share = hit / (hit + read) if hit + read else None
    words = "" if share is None else f"{share:.1%} of {hit + read:.0f} blocks came from memory."
    return _one(share, words, weight=hit + read)


def _pgbouncer_down(looked: Looked) -> Seen:
    return () if looked.pgbouncer is None else _answers(looked.pgbouncer, "PgBouncer")


def _pgbouncer_waiting(looked: Looked) -> Seen:
    if looked.pgbouncer is None:
        return ()
    sample = _fresh(looked.pgbouncer)
    if sample is None:
        return None
    words = f"{sample.waiting} clients wait, the first for {sample.max_wait_s:.1f} s."
    return _one(sample.max_wait_s, words)


def _replica_lag(looked: Looked) -> Seen:
    def of(one: ReplicaStanding) -> Observation:
        known = one.lag_s if one.reachable and one.seen_s <= FRESH_S else None
        words = "" if known is None else f"{one.label} is {known:.1f} s behind the primary."
        return Observation(subject=one.label, value=known, words=words)

    return None if looked.replicas is None else tuple(map(of, looked.replicas))


def _replica_down(looked: Looked) -> Seen:
    def of(one: ReplicaStanding) -> Observation:
        is_well = one.reachable and not one.ill
        known = float(is_well) if one.seen_s <= FRESH_S else None
        told = f"cannot be read from: {one.ill}" if one.ill else f"does not answer: {one.why}"
        words = f"{one.label} {'answers again' if is_well else told}"
        return Observation(subject=one.label, value=known, words=words)

    return None if looked.replicas is None else tuple(map(of, looked.replicas))


def _cache_down(looked: Looked) -> Seen:
    if looked.workers is None or not looked.cache.reachable:
        return _one(0.0, "The cache server (REDIS_URL) does not answer this process.")
    if looked.refusal:
        words = f"The cache server (REDIS_URL) answers and takes nothing: {looked.refusal}."
        return _one(0.0, words)
    return _one(1.0, "The cache server answers again, and takes what is written.")


def _memory(told: Told[ValkeySample], name: str) -> Seen:
    sample = _fresh(told)
    if sample is None:
        return None
    return () if sample.share is None else _one(sample.share, f"{name} {sample.words}.")


def _queue(looked: Looked) -> Seen:
    sample = _fresh(looked.queue)
    if sample is None:
        return None
    oldest = 0.0 if not sample.length else sample.oldest_s
    return _one(oldest, f"{sample.length} wake-ups wait in {sample.queue}.")


SERVERS: Final[Mapping[str, Callable[[Looked], Seen]]] = {
    "postgres.down": _postgres_down,
    "beat.silent": _beat,
    "db.pool_used": _pool_used,
    "db.pool_waits": _pool_waits,
    "postgres.connections_used": lambda looked: _postgres(looked, _connections),
    "postgres.lock_waits": lambda looked: _postgres(looked, _lock_waits),
    "postgres.long_transaction": lambda looked: _postgres(looked, _long_transaction),
    "postgres.slow_statement": lambda looked: _postgres(looked, _slow_statement(_OFTEN)),
    "postgres.hit_rate": _blocks,
    "replica.lag": _replica_lag,
    "replica.down": _replica_down,
    "pgbouncer.down": _pgbouncer_down,
    "pgbouncer.waiting": _pgbouncer_waiting,
    "cache.down": _cache_down,
    "cache.memory": lambda looked: _memory(looked.cache, "The cache server"),
    "broker.down": lambda looked: _answers(looked.broker, "The broker"),
    "broker.memory": lambda looked: _memory(looked.broker, "The broker"),
    "queue.oldest": _queue,
}
