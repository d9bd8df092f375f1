"""Servers that never were, as the collector would tell of them."""

import time
from typing import Any

from monitoring.collectors import told
from monitoring.collectors.celery import CelerySample
from monitoring.collectors.outcome import Outcome
from monitoring.collectors.postgres_samples import (
    Blocked,
    Checkpoints,
    Connections,
    Index,
    PostgresSample,
    Rates,
    Replica,
    Server,
    Session,
    Sizes,
    Slot,
    Statement,
    Statements,
    Table,
    Wait,
)
from monitoring.collectors.valkey import Slow, ValkeySample

TEXT = "SELECT * FROM validation_run WHERE state = $1"


def a_server(**more: Any) -> Server:
    said: dict[str, Any] = {
        "at": time.time() - 4, "version": "18.1", "name": "switchyard", "up_s": 90_000.0,
        "max_connections": 100, "reserved": 3, "in_recovery": False, "sees_all": True,
    }  # fmt: skip
    return Server(**(said | more))


def some_connections(active: int = 12) -> tuple[Connections, ...]:
    return (
        Connections(application="switchyard worker", state="active", number=active, on_locks=2,
                    longest_s=3.0, transaction_s=64.0),
        Connections(application="(unnamed)", state="idle", number=8, on_locks=0,
                    longest_s=30.0, transaction_s=None),
    )  # fmt: skip


def a_statement(**more: Any) -> Statement:
    said: dict[str, Any] = {
        "id": "-77", "text": TEXT, "calls": 1_200, "total_ms": 84_000.0, "mean_ms": 70.0,
        "share": 0.61, "rows": 9_000, "hit_ratio": 0.993, "temp_blocks": 0,
    }  # fmt: skip
    return Statement(**(said | more))


def a_table(**more: Any) -> Table:
    said: dict[str, Any] = {
        "name": "public.validation_chunk", "bytes": 84_000_000, "live": 100_000, "dead": 60_000,
        "dead_share": 0.375, "seq_scans": 90, "seq_rows": 9_000_000, "index_scans": 12,
        "hit_ratio": 0.9, "vacuumed_s_ago": 7_300.0, "analyzed_s_ago": None,
        "bloat_bytes": 60_000_000, "bloat_share": 0.714,
    }  # fmt: skip
    return Table(**(said | more))


def an_index(**more: Any) -> Index:
    said: dict[str, Any] = {
        "name": "chunk_unused", "table": "public.validation_chunk", "bytes": 12_000_000,
        "scans": 0, "unique": False, "valid": True,
    }  # fmt: skip
    return Index(**(said | more))


def a_troubled_postgres(**more: Any) -> PostgresSample:
    said: dict[str, Any] = {
        "server": a_server(),
        "connections": some_connections(),
        "waits": (Wait(kind="Lock", event="relation", number=2),),
        "blocked": (
            Blocked(pid=41, application="web", waits_s=12.0, mode="RowExclusiveLock",
                    target="validation_run", blockers=(40,), text="UPDATE t SET a = ?"),
        ),
        "sessions": (
            Session(pid=40, application="migrate", state="idle in transaction", transaction_s=95.0,
                    state_s=90.0, wait="Client: ClientRead", text="LOCK TABLE validation_run"),
        ),
        "rates": Rates(window_s=60.0, commits_per_s=41.5, rollbacks_per_s=0.5, hit_ratio=0.998,
                       deadlocks=1),
        "statements": Statements(window_s=300.0, kinds=88, total_ms=137_000.0,
                                 slowest=(a_statement(),)),
        "replicas": (Replica(name="replica-1", state="streaming", sync="async",
                             lag_bytes=2_500_000.0, lag_s=1.5),),
        "slots": (Slot(name="left", kind="physical", active=False, retained_bytes=9e9),),
        "checkpoints": Checkpoints(timed=40, requested=7, write_s=90.0, sync_s=1.0, buffers=900),
        "sizes": Sizes(at=time.time() - 50, database_bytes=900_000_000, tables=(a_table(),),
                       indexes=(an_index(),)),
    }  # fmt: skip
    return PostgresSample(**(said | more))


def a_valkey(**more: Any) -> ValkeySample:
    said: dict[str, Any] = {
        "version": "9.1", "role": "master", "up_s": 9_000.0, "used_bytes": 84_000_000,
        "max_bytes": 512_000_000, "policy": "volatile-lfu", "clients": 9, "max_clients": 10_000,
        "blocked_clients": 1, "refused_clients": 0, "hits": 900, "misses": 100, "evicted": 7,
        "expired": 70, "commands": 90_000,
        "slow": (Slow(command="KEYS", took_ms=84.0, age_s=60.0),),
    }  # fmt: skip
    return ValkeySample(**(said | more))


def a_queue(**more: Any) -> CelerySample:
    said: dict[str, Any] = {
        "queue": "switchyard", "length": 14, "oldest_s": 8.0, "unacknowledged": 2, "held_s": 1.0,
        "workers_up": 2, "workers_busy": 1, "workers_silent": 0,
    }  # fmt: skip
    return CelerySample(**(said | more))


def publish(**samples: Any) -> None:
    """As the collector would: a text in the place of a sample is a failure."""
    for source, said in samples.items():
        failed = isinstance(said, str)
        told.publish(
            Outcome(
                source=source,
                took_s=0.1,
                sample=None if failed else said,
                failure=said if failed else "",
            )
        )


def publish_all() -> None:
    publish(postgres=a_troubled_postgres(), valkey=a_valkey(), broker=a_valkey(), celery=a_queue())
