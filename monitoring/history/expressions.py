"""What the names of figures are in PromQL: the same figure, from what `/metrics` tells.

`{step}` is the span that a figure is of. Of one series the mean or the highest in it is asked, by
`{over}`; sums have means only, for the highest of each were not there at once. Raw samples are
added up, never a question in a question: a week of those took longer than there is. A figure that
is not here is in Postgres alone.
"""

from collections.abc import Mapping
from typing import Final

_CACHE, _BROKER = 'server="cache"', 'server="broker"'


def _one(series: str) -> str:
    return f"max({{over}}_over_time(switchyard_{series}[{{step}}]))"


def _sum(series: str) -> str:
    return f"sum(avg_over_time(switchyard_{series}[{{step}}]))"


def _rate(series: str) -> str:
    return f"sum(rate(switchyard_{series}[{{step}}]))"


def _part(series: str, whole: str) -> str:
    """Of what never happened there is no series: none, where there is any of the whole."""
    return f"{_rate(series)} or 0 * {_rate(whole)}"


def _valkey(source: str, server: str) -> dict[str, str]:
    return {
        f"{source}.used_bytes": _one(f"valkey_memory_bytes{{{server}}}"),
        f"{source}.clients": _one(f"valkey_clients{{{server}}}"),
        f"{source}.hits": _rate(f'valkey_lookups_total{{{server}, result="hit"}}'),
        f"{source}.misses": _rate(f'valkey_lookups_total{{{server}, result="miss"}}'),
        f"{source}.evicted": _rate(f"valkey_evicted_keys_total{{{server}}}"),
        f"{source}.commands": _rate(f"valkey_commands_total{{{server}}}"),
    }


EXPRESSIONS: Final[Mapping[str, str]] = {
    "postgres.connections": _sum("postgres_connections"),
    "postgres.connections_active": _sum('postgres_connections{state="active"}'),
    "postgres.idle_in_transaction": _sum('postgres_connections{state="idle in transaction"}'),
    "postgres.waiting_on_locks": _one("postgres_lock_waits"),
    "postgres.longest_transaction_s": _one("postgres_longest_transaction_seconds"),
    "postgres.commits": _rate('postgres_transactions_total{result="commit"}'),
    "postgres.rollbacks": _rate('postgres_transactions_total{result="rollback"}'),
    "postgres.blocks_hit": _rate('postgres_blocks_total{source="cache"}'),
    "postgres.blocks_read": _rate('postgres_blocks_total{source="disk"}'),
    "postgres.deadlocks": _rate("postgres_deadlocks_total"),
    "postgres.database_bytes": _one("postgres_database_bytes"),
    "postgres.replication_lag_bytes": _one("postgres_replication_lag_bytes"),
    **_valkey("valkey", _CACHE),
    **_valkey("broker", _BROKER),
    "celery.length": _one("queue_messages"),
    "celery.unacknowledged": _one("queue_unacknowledged_messages"),
    "celery.oldest_s": _one("queue_oldest_seconds"),
    "pgbouncer.clients": _sum("pgbouncer_clients"),
    "pgbouncer.waiting": _sum('pgbouncer_clients{state="waiting"}'),
    "pgbouncer.max_wait_s": _one("pgbouncer_longest_wait_seconds"),
    "pgbouncer.used": _sum('pgbouncer_servers{state="used"}'),
    "pgbouncer.transactions": _rate("pgbouncer_transactions_total"),
    "workers.up": _sum('workers{state="up"}'),
    "workers.silent": _sum('workers{state=~"stale|gone"}'),
    # Each is 1 or 0: their means add up to how many there were.
    "breakers.open": (
        "sum(max by (breaker) (avg_over_time("
        'switchyard_breaker_state{state=~"open|forced_open"}[{step}])))'
    ),
    "pools.in_flight": _sum("rpc_in_flight"),
    "pools.sockets": _sum('pool_connections{pool!~"db[.].*"}'),
    "validations.all": _rate("validations_total"),
    "validations.not_valid": _part('validations_total{verdict!="valid"}', "validations_total"),
    "rpc.all": _rate("rpc_requests_total"),
    "rpc.failed": _part('rpc_requests_total{outcome!="ok"}', "rpc_requests_total"),
    "rpc.retries": _part("rpc_retries_total", "rpc_requests_total"),
    "cache.lookups": _rate('cache_requests_total{level="l1"}'),
    "cache.hits": _part(
        'cache_requests_total{result=~"hit|negative|stale"}', 'cache_requests_total{level="l1"}'
    ),
    "http.all": _rate("http_request_duration_seconds_count"),
    "http.failed": _part(
        'http_request_duration_seconds_count{status=~"5.."}', "http_request_duration_seconds_count"
    ),
}
