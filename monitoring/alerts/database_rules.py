"""The rules about Postgres, what reads from it, and what stands before it."""

from typing import Final

from monitoring.alerts.rules import Rule, Said

_DOWN: Final = Rule(
    key="postgres.down",
    title="Postgres does not answer",
    group="database",
    unit="count",
    breach="below",
    warning=None,
    critical=0.0,
    hold_s=10.0,
    clear_s=15.0,
    mutes=(
        *("db.pool_used", "db.pool_waits", "replica.lag", "replica.down", "pgbouncer.down"),
        *("pgbouncer.waiting", "http.burn_fast", "http.burn_slow", "http.errors", "http.slow"),
        *("http.p99", "history.silent", "queue.oldest", "capacity.exceeded"),
    ),
    page="/database/",
    runbook="postgres-down",
    expr='switchyard_telemetry_up{source="postgres"}',
    said=(Said(source="001", says="Database downtime: impact critical"),),
    why="1 where it answers, 0 where it does not. Ten seconds, so that a restart is no alarm.",
)

_POOL_USED: Final = Rule(
    key="db.pool_used",
    title="A pool of database connections is nearly all lent",
    group="database",
    subject="pool",
    unit="ratio",
    warning=0.80,
    critical=0.90,
    hold_s=10.0,
    page="/pools/",
    runbook="pool-exhaustion",
    expr="max by (pool) (switchyard_pool_used_worst_ratio)",
    said=(
        Said(source="000", says="pool utilisation: warning 80 %, critical 95 %"),
        Said(source="001", says="critical above 90 %; the target is below 70 %"),
        Said(source="002", says="watch above 80 %; the target is below 70 %"),
        Said(source="004", says="alert above 80 %"),
    ),
    why="Three of four warn at 80 %; 70 % is a target for a design, not trouble. Critical at 90 %, "
    "the lower one: a pool of 8 has one left below it, and none at 95 %. Of the fullest process: a "
    "request cannot borrow from another's.",
)

_POOL_WAITS: Final = Rule(
    key="db.pool_waits",
    title="Requests wait for a database connection",
    group="database",
    subject="pool",
    unit="count",
    warning=1.0,
    critical=8.0,
    hold_s=5.0,
    page="/pools/",
    runbook="pool-exhaustion",
    expr="max by (pool) (switchyard_pool_waiting_worst)",
    said=(
        Said(source="000", says="connection wait: warning 1 s, critical 5 s"),
        Said(source="002", says="watch a wait above 1 s"),
    ),
    why="Nobody waits for longer than a second here, then the answer is 503: so it is not the wait "
    "that tells, but that there is one. Critical at half of the room for 16 in one process.",
)

_CONNECTIONS: Final = Rule(
    key="postgres.connections_used",
    title="Postgres has few connections left",
    group="database",
    unit="ratio",
    warning=0.80,
    critical=0.90,
    hold_s=10.0,
    page="/database/",
    runbook="pool-exhaustion",
    expr="sum(switchyard_postgres_connections) / max(switchyard_postgres_connections_max)",
    said=(
        Said(source="000", says="pool utilisation: warning 80 %, critical 95 %"),
        Said(source="001", says="critical above 90 %"),
    ),
    why="As of a pool: of max_connections without those that are reserved.",
)

_LOCK_WAITS: Final = Rule(
    key="postgres.lock_waits",
    title="Sessions wait for a lock",
    group="database",
    unit="seconds",
    warning=5.0,
    critical=30.0,
    hold_s=0.0,
    page="/database/",
    runbook="lock-pile-up",
    expr="max(switchyard_postgres_longest_lock_wait_seconds)",
    said=(Said(source="001", says="statement timeout 7.5 s, raised to 30 s"),),
    why="The longest wait. The sources name no threshold for locks: 30 s is when a statement would "
    "be given up, and 5 s is longer than anything of ours holds one.",
)

_LONG_TRANSACTION: Final = Rule(
    key="postgres.long_transaction",
    title="A transaction has been open for long",
    group="database",
    unit="seconds",
    warning=60.0,
    critical=600.0,
    hold_s=0.0,
    page="/database/",
    runbook="lock-pile-up",
    expr="max(switchyard_postgres_longest_transaction_seconds)",
    said=(Said(source="001", says="idle in transaction: 60 s, then 30 s"),),
    why="It holds back vacuum and locks. The sources end idle ones after 60 s; a long one at work "
    "may be a backup, so ten minutes are critical.",
)

_SLOW_STATEMENT: Final = Rule(
    key="postgres.slow_statement",
    title="A frequent statement is slow",
    group="database",
    unit="seconds",
    warning=0.1,
    critical=1.0,
    hold_s=30.0,
    clear_s=120.0,
    least=20.0,
    page="/database/",
    runbook="slow-statements",
    said=(
        Said(source="001", says="query time: mean below 15 ms"),
        Said(source="002", says="watch p99 above 100 ms"),
        Said(source="003", says="p95 below 50 ms"),
    ),
    why="The mean of the slowest kind that was called 20 times: pg_stat_statements keeps no "
    "percentile. A mean of 100 ms is worse than the p99 that 002 watches; 15 and 50 ms are goals.",
)

_HIT_RATE: Final = Rule(
    key="postgres.hit_rate",
    title="Postgres reads much from disk",
    group="database",
    unit="ratio",
    breach="below",
    warning=0.95,
    critical=None,
    hold_s=300.0,
    clear_s=120.0,
    least=100_000.0,
    page="/database/",
    runbook="slow-statements",
    expr='sum(increase(switchyard_postgres_blocks_total{source="cache"}[5m]))'
    " / sum(increase(switchyard_postgres_blocks_total[5m]))",
    said=(Said(source="001", says="cache hit ratio above 99 %"),),
    why="99 % is the goal; below 95 % of 100 000 blocks and more, over 5 minutes, it is felt.",
)

_REPLICA_LAG: Final = Rule(
    key="replica.lag",
    title="A replica is behind",
    group="replicas",
    subject="replica",
    unit="seconds",
    warning=2.0,
    critical=5.0,
    hold_s=5.0,
    page="/database/",
    runbook="replica-lag",
    expr="max by (replica) (switchyard_replication_lag_seconds)",
    said=(
        Said(source="001", says="replication lag: p99 below 0.5 s, alert above 2 s, at most 5 s"),
    ),
    why="0.5 s is a goal; the alert of 001 warns; at 5 s it takes a replica out of use.",
)

_REPLICA_DOWN: Final = Rule(
    key="replica.down",
    title="A replica does not answer",
    group="replicas",
    subject="replica",
    unit="count",
    breach="below",
    warning=0.0,
    critical=None,
    hold_s=10.0,
    page="/database/",
    runbook="replica-lag",
    said=(Said(source="000", says="two read replicas, with 60 and 40 % of the reads"),),
    why="Its reads go to the others and to the primary: slower, with less room for the next loss.",
)

_PGBOUNCER_DOWN: Final = Rule(
    key="pgbouncer.down",
    title="PgBouncer does not answer",
    group="pgbouncer",
    unit="count",
    breach="below",
    warning=0.0,
    critical=None,
    hold_s=10.0,
    mutes=("pgbouncer.waiting",),
    page="/pools/",
    runbook="pgbouncer-mismatch",
    expr='max(switchyard_collected_up{source="pgbouncer"})',
    said=(Said(source="ours", says="nothing of it can be seen"),),
    why="Its own figures are missing; where connections go through it, postgres.down says so.",
)

_PGBOUNCER_WAITING: Final = Rule(
    key="pgbouncer.waiting",
    title="Clients wait in PgBouncer",
    group="pgbouncer",
    unit="seconds",
    warning=1.0,
    critical=5.0,
    hold_s=5.0,
    page="/pools/",
    runbook="pgbouncer-mismatch",
    expr="max(switchyard_pgbouncer_longest_wait_seconds)",
    said=(
        Said(source="000", says="connection wait: warning 1 s, critical 5 s"),
        Said(source="002", says="watch a wait above 1 s"),
    ),
    why="The longest wait of a client, as they say.",
)

_CAPACITY: Final = Rule(
    key="capacity.exceeded",
    title="The configuration wants more than there is",
    group="capacity",
    subject="limit",
    unit="count",
    warning=1.0,
    critical=None,
    hold_s=5.0,
    page="/capacity/",
    runbook="pgbouncer-mismatch",
    said=(
        Said(source="000", says="768 connections wanted of 100"),
        Said(source="001", says="2 000 clients before 200 servers"),
    ),
    why="Nothing has failed yet: it will when all ask at once. 1 where a limit does not hold.",
)

RULES: Final = (
    *(_DOWN, _POOL_USED, _POOL_WAITS, _CONNECTIONS, _LOCK_WAITS, _LONG_TRANSACTION),
    *(_SLOW_STATEMENT, _HIT_RATE, _REPLICA_LAG, _REPLICA_DOWN, _PGBOUNCER_DOWN),
    *(_PGBOUNCER_WAITING, _CAPACITY),
)
