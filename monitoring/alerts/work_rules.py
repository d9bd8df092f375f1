"""The rules about the cache, the broker, workers, nodes and what they validate."""

from typing import Final

from monitoring.alerts.promql import least_share
from monitoring.alerts.rules import Rule, Said

_SETTLED: Final = "switchyard_validations_total"
_ERRORS: Final = 'switchyard_validations_total{verdict="error"}'
_CALLS: Final = "switchyard_rpc_requests_total"
_CALLS_FAILED: Final = 'switchyard_rpc_requests_total{outcome!="ok"}'
_L2: Final = 'switchyard_cache_requests_total{level="l2", result!="skipped"}'
_L2_FAILED: Final = 'switchyard_cache_requests_total{level="l2", result=~"error|corrupt"}'
# Of workers: those to databases are `db.…`.
_SOCKETS_USED: Final = 'switchyard_pool_connections{state="used", pool!~"db[.].*"}'
_SOCKETS: Final = 'switchyard_pool_connections_max{pool!~"db[.].*"}'


def _by_node(pools: str) -> str:
    """The sum of a node's pools, which bear its name."""
    return f'sum by (node) (label_replace({pools}, "node", "$1", "pool", "(.*)"))'


_CACHE_DOWN: Final = Rule(
    key="cache.down",
    title="The cache server does not answer, or takes nothing",
    group="cache",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=10.0,
    clear_s=15.0,
    mutes=(
        *("cache.hit_rate", "cache.memory", "cache.errors", "workers.silent", "workers.none"),
        "flags.stale",
    ),
    page="/caches/",
    runbook="cache-loss",
    expr='switchyard_telemetry_up{source="valkey"}',
    said=(Said(source="003", says="degrade gracefully when the cache is away"),),
    why="Validations go on, slower; but each process tells of itself there, so the console is "
    "nearly blind: that is critical.",
)

_HIT_RATE: Final = Rule(
    key="cache.hit_rate",
    title="The cache answers little",
    group="cache",
    unit="ratio",
    breach="below",
    warning=0.40,
    critical=None,
    hold_s=600.0,
    clear_s=300.0,
    least=5_000.0,
    page="/caches/",
    runbook="cache-loss",
    expr='sum(increase(switchyard_cache_requests_total{result=~"hit|negative|stale"}[10m]))'
    ' / sum(increase(switchyard_cache_requests_total{level="l1"}[10m]))',
    said=(
        Said(source="000", says="L1 hit rate: warning 60 %, critical 40 %"),
        Said(source="001", says="warning below 85 %; L1 above 40 %, in all above 90 %"),
        Said(source="002", says="watch below 70 %"),
        Said(source="003", says="above 80 % for what is asked for often"),
        Said(source="004", says="alert below 70 %"),
    ),
    why="The lowest of them, and a warning alone: items that nobody asked for before are in no "
    "cache, so a low rate over ten minutes may be honest work. 60 to 90 % are goals of workloads.",
)

_CACHE_ERRORS: Final = Rule(
    key="cache.errors",
    title="The cache server fails what it is asked",
    group="cache",
    unit="ratio",
    warning=0.01,
    critical=0.05,
    hold_s=60.0,
    clear_s=60.0,
    least=200.0,
    page="/caches/",
    runbook="cache-loss",
    expr=least_share(_L2_FAILED, _L2, "1m", "5m"),
    said=(Said(source="000", says="L2 error rate: warning 1 %, critical 5 %"),),
    why="As it is said, of what L2 was asked for: what its breaker kept back was not asked. In 5 "
    "minutes and in the last one. What cannot be read (another's key, damage) has failed too, and "
    "so has what could not be written.",
)

_CACHE_MEMORY: Final = Rule(
    key="cache.memory",
    title="The cache server is full",
    group="cache",
    unit="ratio",
    warning=0.95,
    critical=None,
    hold_s=300.0,
    clear_s=60.0,
    page="/caches/",
    runbook="cache-loss",
    expr='sum(switchyard_valkey_memory_bytes{server="cache"})'
    ' / sum(switchyard_valkey_memory_max_bytes{server="cache"})',
    said=(
        Said(source="001", says="memory critical above 95 %"),
        Said(source="002", says="cache memory above 80 %"),
        Said(source="003", says="below 2 GB"),
    ),
    why="A cache that evicts is full by design, so 80 % says nothing; at 95 % what may not be "
    "evicted begins to lack room.",
)

_BROKER_DOWN: Final = Rule(
    key="broker.down",
    title="The broker does not answer",
    group="broker",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=10.0,
    clear_s=15.0,
    mutes=("broker.memory", "queue.oldest"),
    page="/workers/",
    runbook="broker-down",
    expr='max(switchyard_collected_up{source="broker"})',
    said=(Said(source="000", says="Redis command queue: impact critical"),),
    why="Workers find their work without it within 2 s, but what beat asks for does not run: "
    "leases of dead workers, plans of flags, the check of the audit trail.",
)

_BROKER_MEMORY: Final = Rule(
    key="broker.memory",
    title="The broker is nearly full",
    group="broker",
    unit="ratio",
    warning=0.80,
    critical=0.95,
    hold_s=30.0,
    page="/workers/",
    runbook="broker-down",
    expr='sum(switchyard_valkey_memory_bytes{server="broker"})'
    ' / sum(switchyard_valkey_memory_max_bytes{server="broker"})',
    said=(
        Said(source="001", says="memory critical above 95 %"),
        Said(source="002", says="Redis memory above 80 %"),
    ),
    why="It evicts nothing: full, it refuses wake-ups. So both hold as they are said.",
)

_QUEUE: Final = Rule(
    key="queue.oldest",
    title="Wake-ups wait for long",
    group="workers",
    unit="seconds",
    warning=60.0,
    critical=300.0,
    hold_s=10.0,
    page="/workers/",
    runbook="queue-behind",
    expr="max(switchyard_queue_oldest_seconds)",
    said=(Said(source="ours", says="the sources have no queue"),),
    why="The age of the oldest that no worker has heard: all are busy, or none is there.",
)

_SILENT: Final = Rule(
    key="workers.silent",
    title="A worker process is silent",
    group="workers",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=10.0,
    page="/workers/",
    runbook="workers-silent",
    expr='sum(switchyard_workers{state=~"stale|gone"})',
    said=(Said(source="ours", says="a process that ends in good order takes its leave"),),
    why="It was killed, or hangs. Its items run again within 10 s, so nothing is lost: a warning. "
    "It is remembered for ten minutes.",
)

_NONE: Final = Rule(
    key="workers.none",
    title="No worker process is up",
    group="workers",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=20.0,
    mutes=("workers.silent", "queue.oldest", "flags.stale"),
    page="/workers/",
    runbook="workers-silent",
    expr='sum(switchyard_workers{state="up"})',
    said=(Said(source="ours", says="nothing is validated"),),
    why="20 s, so that a deploy that stops all at once is no alarm.",
)

_MEMORY: Final = Rule(
    key="worker.memory",
    title="A worker process is near its memory's limit",
    group="workers",
    subject="worker",
    unit="ratio",
    warning=0.85,
    critical=0.95,
    hold_s=5.0,
    page="/workers/",
    runbook="memory-growth",
    said=(
        Said(source="001", says="high above 85 %, critical above 95 %"),
        Said(source="002", says="heap above 85 %"),
        Said(source="003", says="below 500 MB an instance"),
        Said(source="004", says="alert above 85 %"),
    ),
    why="All but one agree; they are also where the guard lets half and all of L1 go. 40 GB and "
    "500 MB are of machines, not of a limit.",
)

_NODE_DOWN: Final = Rule(
    key="node.down",
    title="A node does not answer",
    group="nodes",
    subject="node",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=5.0,
    mutes=("rpc.latency", "rpc.errors", "rpc.sockets_used", "node.lag", "breaker.open"),
    page="/nodes/",
    runbook="node-outage",
    said=(Said(source="000", says="circuit breaker: error rate warning 20 %, critical 50 %"),),
    why="Asked for its head every 5 s, it has told none for 8 s, to no worker that had room to "
    "ask. A share of failures is not it: that is what its breaker is for.",
)

_NODE_LAG: Final = Rule(
    key="node.lag",
    title="A node is blocks behind the others",
    group="nodes",
    subject="node",
    unit="count",
    warning=3.0,
    critical=16.0,
    hold_s=30.0,
    page="/nodes/",
    runbook="node-outage",
    said=(Said(source="ours", says="the sources have one node"),),
    why="Two blocks behind is the network's own delay; sixteen is half an epoch: it is not "
    "following the chain.",
)

_BREAKER: Final = Rule(
    key="breaker.open",
    title="A breaker is open",
    group="nodes",
    subject="breaker",
    unit="seconds",
    warning=5.0,
    critical=300.0,
    hold_s=15.0,
    page="/breakers/",
    runbook="node-outage",
    said=(
        Said(source="000", says="open: warning after 60 s, critical after 300 s"),
        Said(source="001", says="warning when one opens"),
        Said(source="002", says="watch open circuits above 0"),
    ),
    why="Two of three warn at once; ours also has to be open for some seconds, or a single probe "
    "would be told, and node.down comes first. Since it was last closed; what an operator forced "
    "open is no alarm.",
)

_RPC_ERRORS: Final = Rule(
    key="rpc.errors",
    title="Calls to nodes fail",
    group="nodes",
    unit="ratio",
    warning=0.05,
    critical=0.10,
    hold_s=60.0,
    clear_s=60.0,
    least=200.0,
    page="/nodes/",
    runbook="node-outage",
    expr=least_share(_CALLS_FAILED, _CALLS, "1m", "5m"),
    said=(
        Said(source="000", says="RPC timeouts: warning 5 %, critical 10 %"),
        Said(source="002", says="timeouts of a breaker above 5 %"),
    ),
    why="In 5 minutes and in the last one: what is over is not told. 1 and 2 % are of the API: a "
    "call is asked again, a request is not.",
)

_RPC_LATENCY: Final = Rule(
    key="rpc.latency",
    title="A node answers slowly",
    group="nodes",
    subject="node",
    unit="seconds",
    warning=1.0,
    critical=5.0,
    hold_s=30.0,
    page="/nodes/",
    runbook="node-outage",
    said=(Said(source="001", says="one transaction validated in less than 80 ms"),),
    why="p95 of a minute, in the slowest worker. The sources' milliseconds are of a node next "
    "door; a second is slow from anywhere.",
)

_SOCKETS_FULL: Final = Rule(
    key="rpc.sockets_used",
    title="The sockets to a node are nearly all in use",
    group="nodes",
    subject="node",
    unit="ratio",
    warning=0.80,
    critical=None,
    hold_s=300.0,
    clear_s=60.0,
    page="/pools/",
    runbook="node-outage",
    expr=f"{_by_node(_SOCKETS_USED)} / {_by_node(_SOCKETS)}",
    said=(Said(source="000", says="socket pool utilisation: warning 80 %, critical 95 %"),),
    why="Of all workers together. Five minutes are ours: a pool that is full for a moment is well "
    "used. A socket carries a batch, so a few do, unless the node is slow or each call goes by "
    "itself. Calls wait then, and none is lost: never critical.",
)

_BURN_FAST: Final = Rule(
    key="validations.burn_fast",
    title="Validations fail so fast that the month's budget ends in two days",
    group="validations",
    unit="count",
    warning=None,
    critical=14.4,
    hold_s=0.0,
    clear_s=60.0,
    least=200.0,
    page="/validations/",
    runbook="error-budget",
    expr=f"{least_share(_ERRORS, _SETTLED, '5m', '1h')} / 0.01",
    said=(
        Said(source="001", says="errors fall from 3 to 8 % to below 1 %"),
        Said(source="004", says="at most 1 % errors"),
        Said(source="ours", says="14.4 over 1 h and 5 min: Google's SRE workbook, chapter 5"),
    ),
    why="Of 100 items one may end in `error`; a verdict other than valid is none. Both windows: "
    "the long one says that it matters, the short one that it goes on.",
)

_BURN_SLOW: Final = Rule(
    key="validations.burn_slow",
    title="Validations fail so often that the month's budget ends in five days",
    group="validations",
    unit="count",
    warning=6.0,
    critical=None,
    hold_s=0.0,
    clear_s=300.0,
    least=500.0,
    page="/validations/",
    runbook="error-budget",
    expr=f"{least_share(_ERRORS, _SETTLED, '30m', '6h')} / 0.01",
    said=(
        *_BURN_FAST.said[:2],
        Said(source="ours", says="6 over 6 h and 30 min: Google's SRE workbook, chapter 5"),
    ),
    why="As the fast one, for what smoulders.",
)

RULES: Final = (
    *(_CACHE_DOWN, _HIT_RATE, _CACHE_ERRORS, _CACHE_MEMORY, _BROKER_DOWN, _BROKER_MEMORY, _QUEUE),
    *(_SILENT, _NONE, _MEMORY, _NODE_DOWN, _NODE_LAG, _BREAKER, _RPC_ERRORS, _RPC_LATENCY),
    *(_SOCKETS_FULL, _BURN_FAST, _BURN_SLOW),
)
