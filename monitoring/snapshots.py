"""What each worker process last said of itself, with its age by the cache server's clock."""

import os
import socket
from typing import Any, Literal

import msgspec
import redis
import structlog

from monitoring import valkey

log = structlog.get_logger(__name__)

_INDEX = "switchyard:workers"
_LIFE_S = 600
_UP_S = 5.0
_STALE_S = 30.0

type WorkerState = Literal["up", "stale", "gone"]


class Transition(msgspec.Struct, kw_only=True, frozen=True):
    """A change of a breaker's state, `at` by the wall clock of its process (epoch seconds)."""

    at: float
    before: str
    after: str
    cause: str


class BreakerReport(msgspec.Struct, kw_only=True, frozen=True):
    """One breaker as one process sees it. Rates are shares of 1; None: too few calls to say.

    `state` is in force: closed, open, half_open, forced_open, forced_closed, metrics_only,
    disabled. `computed` is what it would be by itself: closed, open or half_open.
    """

    name: str
    state: str
    computed: str
    failure_rate: float | None
    slow_rate: float | None
    # In the window now.
    calls: int
    failures: int
    slow: int
    # Since the process started.
    rejected: int
    trips: int
    retry_in_s: float | None
    p50_ms: float | None
    p95_ms: float | None
    # Seconds until what an operator forced ends by itself; None: nothing forced, or no end.
    forced_for_s: float | None = None
    # The revision of the control that this process obeys; 0: none.
    revision: int = 0
    # The thresholds in force, by name.
    settings: dict[str, float] = {}
    # The last twenty, newest last.
    transitions: tuple[Transition, ...] = ()
    # When this process made it, by its wall clock (epoch seconds); None: one that does not tell.
    made_at: float | None = None


class PoolReport(msgspec.Struct, kw_only=True, frozen=True):
    """What a process may use of one node at once: sockets, and calls under its limiter."""

    pool: str
    used: int
    idle: int
    max: int
    # Calls: with the node, waiting for a place, the limit now, the most that the limit may be.
    in_flight: int
    waiting: int
    limit: int
    limit_max: int
    limiter: str
    # Of the last minute; None: nothing waited or was asked.
    wait_p50_ms: float | None = None
    wait_p95_ms: float | None = None
    rtt_p50_ms: float | None = None
    rtt_p95_ms: float | None = None
    # Preference among the nodes: 1 is best; None: not scored yet.
    score: float | None = None
    # Calls a second that the node may be asked by the whole fleet; None: no budget.
    rate_limit: float | None = None
    # Since the start: connections made, requests, calls, failures by reason.
    dialled: int = 0
    requests: int = 0
    calls: int = 0
    failures: dict[str, int] = {}


class NodeReport(msgspec.Struct, kw_only=True, frozen=True):
    """One node as one process sees it, whether or not it is in service."""

    label: str
    # Asked for work; one that is not is only watched: its head and its latency.
    in_service: bool
    # The block that it last told as its newest, how long ago, and how many blocks that is behind
    # the best of the nodes; None: it has told none yet.
    head: int | None = None
    head_age_s: float | None = None
    lag: int | None = None
    # Of a request in the last minute; of the questions for its head where it did no work.
    latency_p50_ms: float | None = None
    latency_p95_ms: float | None = None
    # Preference among the nodes: 1 is best; None: not scored yet.
    score: float | None = None
    # Since the start, by reason: of work and of the questions for its head.
    failures: dict[str, int] = {}


class CacheReport(msgspec.Struct, kw_only=True, frozen=True):
    """Both tiers as one process sees them. Counts are since its start."""

    policy: str
    entries: int
    bytes: int
    max_entries: int
    max_bytes: int
    evicted: int = 0
    expired: int = 0
    # Look-ups by kind (tx, block, address, head, header, evidence, proof): {"l1": …, "l2": …,
    # "stale": …, "negative": …, "miss": …}: which level answered, or none.
    kinds: dict[str, dict[str, int]] = {}
    # L2: does Valkey answer, writes by codec, bytes before and after compression, payloads refused.
    l2_reachable: bool | None = None
    codecs: dict[str, int] = {}
    bytes_raw: int = 0
    bytes_stored: int = 0
    corrupt: int = 0
    coalesced: int = 0
    invalidated: int = 0
    # Entries that L1 was filled with before anybody asked for them.
    warmed: int = 0
    # [(entries in L1, share of look-ups it would have answered)], from sampled traffic.
    curve: tuple[tuple[int, float], ...] = ()
    # Look-ups that the curve rests on.
    sampled: int = 0
    # The revision of the L1 control that this process obeys; 0: none.
    revision: int = 0


class MemoryReport(msgspec.Struct, kw_only=True, frozen=True):
    """What a process's memory guard last saw and did. `limit_bytes` is what it may hold: what it
    holds, and its part of what is left; None: nothing tells.
    """

    # "on" or "off".
    guard: str
    # "ok"; "half" or "all" of what was only remembered has been let go.
    level: str
    # It begins no chunk until there is room again.
    refuses: bool = False
    used_bytes: int | None = None
    limit_bytes: int | None = None
    # How often something was let go, since the start, and what the system got back by it.
    drops: int = 0
    freed_bytes: int = 0
    # Whether the limit is WORKER_MEMORY_MB, of each process; else its part of the group's or
    # machine's memory.
    own_limit: bool = False

    @property
    def share(self) -> float | None:
        if self.used_bytes is None or not self.limit_bytes:
            return None
        return self.used_bytes / self.limit_bytes

    @property
    def words(self) -> str:
        """What its process holds of what it may, as pages and alerts say it; "" where nothing
        tells.
        """
        if self.used_bytes is None or not self.limit_bytes:
            return ""
        refuses = ", and begins nothing new" if self.refuses else ""
        used, limit = self.used_bytes / 2**20, self.limit_bytes / 2**20
        return f"holds {used:.0f} of {limit:.0f} MiB{refuses}"


class FlagReport(msgspec.Struct, kw_only=True, frozen=True):
    """One flag as one process decided it. Of a flag of items `variant` is "" while a stage splits
    them; `value` is what was decided as text.
    """

    key: str
    variant: str
    value: str
    # Of OpenFeature: STATIC, TARGETING_MATCH, DEFAULT, DISABLED, ERROR.
    reason: str
    # Decisions by variant since the process started: units, so items for a flag of items.
    evaluations: dict[str, int] = {}
    # What the part that it steers says of itself, as text; "" where it does not say.
    in_force: str = ""


class WorkerSnapshot(msgspec.Struct, kw_only=True, frozen=True):
    """One worker process. Counts are since its start; `rate` is items a second of late."""

    id: str
    host: str
    pid: int
    started_at: float
    busy: bool
    run: int | None
    items_done: int
    chunks_done: int
    rate: float
    rss_bytes: int
    # The client's counts: calls in flight, batches, retries, by node.
    node: dict[str, Any] = {}
    breakers: tuple[BreakerReport, ...] = ()
    pools: tuple[PoolReport, ...] = ()
    # In the order of preference, those not in service last.
    nodes: tuple[NodeReport, ...] = ()
    cache: CacheReport | None = None
    memory: MemoryReport | None = None
    # The newest control revision that this process has applied; None: it has read none yet.
    acknowledged: int | None = None
    # What it decided of each flag; the revision of the flags it decided by, 0: none could be read;
    # and its number among the processes of its fleet. None: it has none yet.
    flags: tuple[FlagReport, ...] = ()
    flags_revision: int = 0
    slot: int | None = None
    # The newest head and final block that it knows, and blocks it saw reorganised away.
    head: int | None = None
    final: int | None = None
    orphaned: int = 0
    # Set by the reader; a writer's clock may be wrong.
    age_s: float = 0.0

    @property
    def state(self) -> WorkerState:
        if self.age_s <= _UP_S:
            return "up"
        return "stale" if self.age_s <= _STALE_S else "gone"


def worker_id() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def publish(snapshot: WorkerSnapshot) -> None:
    """Raises redis.RedisError when the cache server is gone."""
    body = msgspec.json.encode(snapshot)
    valkey.announce(_INDEX, snapshot.id, _key(snapshot.id), body, life_s=_LIFE_S)


def retire(worker: str) -> None:
    """Takes a worker that stopped in good order off the list."""
    try:
        valkey.client().pipeline(transaction=False).delete(_key(worker)).srem(
            _INDEX, worker
        ).execute()
    except redis.RedisError:
        return  # it will be shown as gone and forgotten after ten minutes


def workers() -> list[WorkerSnapshot] | None:
    """Every worker heard of in the last ten minutes, youngest word first; None: nobody to ask."""
    try:
        client = valkey.client()
        ids = sorted(client.smembers(_INDEX))
        pipe = client.pipeline(transaction=False)
        for worker in ids:
            pipe.get(_key(worker)).pttl(_key(worker))
        answers = pipe.execute(raise_on_error=False)
        found = []
        for worker, body, ttl_ms in zip(ids, answers[::2], answers[1::2], strict=True):
            if not isinstance(body, str):  # none, or something else in its place
                client.srem(_INDEX, worker)
            elif (snapshot := _decoded(worker, body)) is not None:
                found.append(msgspec.structs.replace(snapshot, age_s=_age_s(ttl_ms)))
    except redis.RedisError:
        return None
    return sorted(found, key=lambda s: (s.age_s > _UP_S, s.id))


def live_count() -> int | None:
    """How many processes share the nodes now; None where it cannot be known."""
    living = live()
    return None if living is None else len(living)


def live() -> list[str] | None:
    """The ids of the processes that share the nodes now; None where it cannot be known."""
    try:
        client = valkey.client()
        workers = list(client.smembers(_INDEX))
        pipe = client.pipeline(transaction=False)
        for worker in workers:
            pipe.pttl(_key(worker))
        lives: list[int] = pipe.execute()
    except redis.RedisError:
        return None
    # Below zero: its key ended before its name was taken off the index.
    return [
        worker
        for worker, ttl_ms in zip(workers, lives, strict=True)
        if ttl_ms >= 0 and _age_s(ttl_ms) <= _UP_S
    ]


def host_of(worker: str) -> str:
    return worker.rpartition(":")[0]


def _age_s(ttl_ms: int) -> float:
    """By the server's clock: processes' own may differ."""
    return _LIFE_S - ttl_ms / 1000


def _decoded(worker: str, body: str) -> WorkerSnapshot | None:
    """What a process of this, an older or a newer release said; a field that cannot be read is
    left at its default. None where one without a default cannot be read.
    """
    try:
        return msgspec.json.decode(body, type=WorkerSnapshot)
    except msgspec.DecodeError as exc:
        log.warning("snapshot.unreadable", worker=worker, error=str(exc))
    try:
        said = msgspec.json.decode(body, type=dict[str, Any])
        fields = {
            field.encode_name: msgspec.convert(said[field.encode_name], field.type)
            for field in msgspec.structs.fields(WorkerSnapshot)
            if field.encode_name in said and (field.required or _reads(said, field))
        }
        return WorkerSnapshot(**fields)
    except (msgspec.DecodeError, TypeError):
        return None


def _reads(said: dict[str, Any], field: msgspec.structs.FieldInfo) -> bool:
    try:
        msgspec.convert(said[field.encode_name], field.type)
    except msgspec.ValidationError:
        return False
    return True


def _key(worker: str) -> str:
    return f"switchyard:worker:{worker}"
