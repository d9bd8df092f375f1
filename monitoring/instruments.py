"""The name, meaning and labels of every metric: those that a process counts as it goes, and the
gauges that are read from snapshots.

Counted in this process alone; `publisher` tells the fleet, `exposition` adds the fleet up. None of
these may hold a subject, a hash or a credential as a label. Imports neither Django nor Celery.
"""

from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram

REGISTRY: Final = CollectorRegistry(auto_describe=False)

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
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
FLAG_EVALUATIONS = _counter(
    "flag_evaluations_total",
    "Units (items, processes at each turn, callers) that a flag was decided for.",
    "flag",
    "variant",
)
HTTP_DURATION = _histogram(
    "http_request_duration_seconds", "Requests to the console.", "route", "status"
)

# Counted by the kernel, for each process (worker, web, beat).
CPU_TIME: Final = "switchyard_process_cpu_seconds"
COUNTED_ELSEWHERE: Final = {CPU_TIME: "Time on a processor, by kind of process."}

# Gauges, of live processes alone; what nobody can tell now is absent.
GAUGES: Final = {
    f"switchyard_{name}": text
    for name, text in {
        "breaker_state": "1 for each state that the breaker is in, in any live worker.",
        "breaker_workers": "Live workers by the state that the breaker is in there.",
        "pool_connections": "Connections to a node, or to a database (db. …), used or idle.",
        "pool_connections_max": "The most connections of that pool that live processes may hold.",
        "pool_waiting": "Requests of web processes that wait for a connection to a database.",
        "cache_entries": "Entries of the cache by level, over all live workers.",
        "cache_bytes": "What these entries hold.",
        "rpc_in_flight": "JSON-RPC calls that nodes are at work on now.",
        "workers": "Worker processes by state: up, stale (silent for 5 s), gone (for 30 s).",
        "processes": "Live processes by kind.",
        "process_resident_memory_bytes": "Resident memory, shared pages counted in each process.",
        "process_proportional_memory_bytes": "Resident memory, shared pages divided among sharers.",
        "process_open_fds": "Open files and sockets.",
        "process_threads": "Threads of Python.",
        "incarnations_lost": "Processes that ended without a last word, each with its last second.",
        "telemetry_up": "Whether the source of these figures answered: valkey, postgres.",
        "build_info": "1, labelled with what runs.",
    }.items()
}
