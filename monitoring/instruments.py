"""The name, meaning and labels of every metric: those that a process counts as it goes, and the
gauges that are read from snapshots.

Counted in this process alone; `publisher` tells the fleet, `exposition` adds the fleet up. None of
these may hold a subject, a hash or a credential as a label. Imports neither Django nor Celery.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry(auto_describe=False)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
# Of answers, with what the sources ask for among them: a percentile is known no finer than these.
_ANSWERS = tuple(sorted({*_SECONDS, 0.03, 0.06, 0.08, 0.15, 0.2}))
_SIZES = (1, 2, 5, 10, 20, 50, 100, 200)


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(f"switchyard_{name}", text, labels, registry=REGISTRY)


def _histogram(
    name: str, text: str, *labels: str, buckets: tuple[float, ...] = _SECONDS
) -> Histogram:
    return Histogram(f"switchyard_{name}", text, labels, buckets=buckets, registry=REGISTRY)


BREAKER_CALLS = _counter(
    "breaker_calls_total",
    "Calls (batches, to nodes) by what a breaker saw: success, failure, slow, ignored, rejected.",
    "breaker",
    "outcome",
)
BREAKER_TRANSITIONS = _counter(
    "breaker_transitions_total", "Changes of a breaker's state.", "breaker", "from", "to"
)
POOL_WAIT = _histogram(
    "pool_wait_seconds", "How long what was asked waited for a place in the pool.", "pool"
)
DB_READS = _counter(
    "db_reads_total",
    "Reads that may go to a replica, by where they went: replica, primary, again (asked of a "
    "replica in vain, then of the primary).",
    "target",
)
CACHE_REQUESTS = _counter(
    "cache_requests_total",
    "Look-ups by level (l1, l2) and result: hit, negative, stale, miss, corrupt, error, skipped.",
    "level",
    "result",
)
RPC_REQUESTS = _counter(
    "rpc_requests_total", "JSON-RPC calls by method and outcome (ok or a reason).", "method",
    "outcome",
)  # fmt: skip
RPC_DURATION = _histogram(
    "rpc_duration_seconds", "From sending a batch to its answer, once a call in it.", "method"
)
RPC_BATCH_SIZE = _histogram("rpc_batch_size", "Calls in a batch.", buckets=_SIZES)
RPC_RETRIES = _counter("rpc_retries_total", "Calls asked again, by the reason why.", "reason")
RPC_SHARED = _counter("rpc_shared_total", "Calls answered by another's identical call in flight.")
VALIDATIONS = _counter("validations_total", "Items settled in Postgres.", "kind", "verdict")
VALIDATION_DURATION = _histogram(
    "validation_duration_seconds", "From taking up an item to its verdict.", "kind"
)
QUEUE_WAIT = _histogram("queue_wait_seconds", "From sending a wake-up to the worker that hears it.")
WORKERS_RECYCLED = _counter(
    "workers_recycled_total", "Workers that ended between two chunks, for what memory they held."
)
FLAG_EVALUATIONS = _counter(
    "flag_evaluations_total",
    "Units (items, processes at each turn, callers) that a flag was decided for.",
    "flag",
    "variant",
)
HTTP_DURATION = _histogram(
    "http_request_duration_seconds",
    "Requests to the console.",
    "route",
    "status",
    buckets=_ANSWERS,
)

DB_QUERY_DURATION = _histogram(
    "db_query_duration_seconds", "Statements of web processes, as Django sends them."
)

TASKS = _counter(
    "tasks_total",
    "Tasks of Celery by what became of them: ok, retried, failed, again (who had it was lost).",
    "task",
    "outcome",
)
CANARIES = _counter("canaries_total", "Events made up to be counted here and on the cache server.")

# Counted by the kernel, for each process (worker, web, beat).
CPU_TIME: Final = "switchyard_process_cpu_seconds"
COUNTED_ELSEWHERE: Final = {
    CPU_TIME: "Time on a processor, by kind of process.",
    "switchyard_process_gc_pause_seconds": "Time that collecting garbage stopped processes for.",
    "switchyard_process_gc_collections": "Collections of garbage.",
}

# Gauges, of live processes alone; what nobody can tell now is absent.
GAUGES: Final = {
    f"switchyard_{name}": text
    for name, text in {
        "breaker_state": "1 for each state that the breaker is in, in any live worker.",
        "breaker_workers": "Live workers by the state that the breaker is in there.",
        "pool_connections": "Connections to a node, or to a database (db. …), used or idle.",
        "pool_connections_max": "The most connections of that pool that live processes may hold.",
        "pool_waiting": "Requests of web processes that wait for a connection to a database.",
        "pool_used_worst_ratio": "Lent of the most, in the process where that pool is fullest.",
        "pool_waiting_worst": "Requests that wait, in the process where most do.",
        "cache_entries": "Entries of the cache by level, over all live workers.",
        "cache_bytes": "What these entries hold.",
        "rpc_in_flight": "JSON-RPC calls that nodes are at work on now.",
        "workers": "Worker processes by state: up, stale (silent for 5 s), gone (for 30 s).",
        "processes": "Live processes by kind.",
        "process_resident_memory_bytes": "Resident memory, shared pages counted in each process.",
        "process_proportional_memory_bytes": "Resident memory, shared pages divided among sharers.",
        "process_open_fds": "Open files and sockets.",
        "process_max_fds": "Open files and sockets that these processes may have.",
        "process_open_sockets": "Open sockets, as of the last ten seconds.",
        "process_threads": "Threads of Python.",
        "process_cpu_ratio": "Processors that these processes keep busy.",
        "process_pending_tasks": "Tasks of event loops that are not done.",
        "process_event_loop_lag_seconds": "The latest that a timer of an event loop came of late.",
        "process_gc_pause_worst_seconds": "The longest stop for garbage of late.",
        "process_memory_limit_bytes": "What worker processes may hold, by their memory guards.",
        "workers_refusing": "Live workers that take no chunk for want of memory.",
        "node_head": "The newest block that a node told any live worker.",
        "node_lag_blocks": "How far a node is behind the best, by the worker that knows most.",
        "node_latency_p50_seconds": "Median of a node's answers in the last minute: the slowest "
        "worker's.",
        "node_latency_p95_seconds": "95th percentile of a node's answers in the last minute: the "
        "slowest worker's.",
        "incarnations_lost": "Processes that ended without a last word, each with its last second.",
        "telemetry_up": "Whether the source of these figures answered: valkey, postgres.",
        "build_info": "1, labelled with what runs.",
    }.items()
}
# The worst of all processes stands for them; of the rest it is the sum.
WORST: Final = frozenset(
    f"switchyard_{name}"
    for name in (
        *("process_event_loop_lag_seconds", "process_gc_pause_worst_seconds"),
        *("pool_used_worst_ratio", "pool_waiting_worst"),
    )
)
