"""Worker processes that never were: what they would say of breakers, pools and caches."""

import time
from typing import Any

import msgspec

from monitoring import snapshots
from monitoring.snapshots import (
    BreakerReport,
    CacheReport,
    PoolReport,
    Transition,
    WorkerSnapshot,
)

# Of the node that tests/services.py configures, so that acts on its breakers are taken.
POOL = "127.0.0.1:9"
LOOKUP = f"node:{POOL}:lookup"
BLOCK = f"node:{POOL}:block"
SETTINGS = {
    "failure_rate": 0.5,
    "slow_rate": 1.0,
    "slow_s": 5.0,
    "min_calls": 10.0,
    "consecutive_failures": 5.0,
    "window_s": 30.0,
    "window_size": 100.0,
    "open_s": 5.0,
    "open_max_s": 60.0,
    "half_open_calls": 2.0,
    "half_open_max_s": 30.0,
}
CURVE = ((100, 0.11), (300, 0.24), (1_000, 0.41), (3_000, 0.58), (10_000, 0.71),
         (30_000, 0.79), (100_000, 0.86), (300_000, 0.9))  # fmt: skip
KINDS = {
    "tx": {"l1": 61_200, "l2": 18_400, "stale": 120, "negative": 900, "miss": 19_380},
    "block": {"l1": 8_100, "l2": 3_900, "stale": 30, "negative": 0, "miss": 2_100},
    "address": {"l1": 2_300, "l2": 600, "stale": 410, "negative": 0, "miss": 3_200},
    "head": {"l1": 9_800, "l2": 40, "stale": 0, "negative": 0, "miss": 210},
}


def a_breaker(name: str = LOOKUP, state: str = "closed", **more: Any) -> BreakerReport:
    said: dict[str, Any] = {
        "name": name,
        "state": state,
        "computed": state if state in {"closed", "open", "half_open"} else "closed",
        "failure_rate": 0.004,
        "slow_rate": 0.0,
        "calls": 250,
        "failures": 1,
        "slow": 0,
        "rejected": 0,
        "trips": 0,
        "retry_in_s": None,
        "p50_ms": 12.4,
        "p95_ms": 41.0,
        "settings": SETTINGS,
        "made_at": time.time() - 3_000,
    }
    return BreakerReport(**(said | more))


def an_open_breaker(name: str = LOOKUP, **more: Any) -> BreakerReport:
    """Open since a minute, after two trips."""
    now = time.time()
    said: dict[str, Any] = {
        "failure_rate": 0.61,
        "slow_rate": 0.08,
        "calls": 120,
        "failures": 73,
        "slow": 9,
        "rejected": 1_420,
        "trips": 2,
        "retry_in_s": 18.0,
        "p50_ms": 340.0,
        "p95_ms": 1_240.0,
        "transitions": (
            Transition(at=now - 400, before="closed", after="open", cause="5 failures in a row"),
            Transition(at=now - 380, before="open", after="half_open", cause="waited 20 s"),
            Transition(at=now - 376, before="half_open", after="closed", cause="2 probes passed"),
            Transition(at=now - 61, before="closed", after="open", cause="61 % of 120 failed"),
        ),
    }
    return a_breaker(name, "open", **(said | more))


def a_pool(pool: str = POOL, **more: Any) -> PoolReport:
    said: dict[str, Any] = {
        "pool": pool,
        "used": 3,
        "idle": 1,
        "max": 8,
        "in_flight": 41,
        "waiting": 0,
        "limit": 64,
        "limit_max": 64,
        "limiter": "fixed",
        "wait_p50_ms": 0.2,
        "wait_p95_ms": 1.4,
        "rtt_p50_ms": 8.3,
        "rtt_p95_ms": 23.0,
        "score": 0.97,
        "dialled": 5,
        "requests": 9_120,
        "calls": 71_300,
        "failures": {"node_timeout": 12, "node_error": 3},
    }
    return PoolReport(**(said | more))


def a_cache(**more: Any) -> CacheReport:
    said: dict[str, Any] = {
        "policy": "s3fifo",
        "entries": 9_412,
        "bytes": 21_300_000,
        "max_entries": 10_000,
        "max_bytes": 64_000_000,
        "evicted": 30_412,
        "expired": 1_204,
        "kinds": KINDS,
        "l2_reachable": True,
        "codecs": {"zstd": 18_000, "brotli": 2_100, "none": 4_300},
        "bytes_raw": 92_000_000,
        "bytes_stored": 24_700_000,
        "corrupt": 0,
        "coalesced": 1_812,
        "invalidated": 34,
        "curve": CURVE,
        "sampled": 41_210,
    }
    return CacheReport(**(said | more))


def a_worker(number: int = 1, **more: Any) -> WorkerSnapshot:
    said: dict[str, Any] = {
        "id": f"rack-4:{4_700 + number}",
        "host": "rack-4",
        "pid": 4_700 + number,
        "started_at": time.time() - 3_000,
        "busy": True,
        "run": None,
        "items_done": 12_345,
        "chunks_done": 40,
        "rate": 1_540.0,
        "rss_bytes": 84_300_000,
        "node": {"in_flight": 7, "requests": 901},
        "breakers": (a_breaker(), a_breaker(BLOCK), a_breaker("l2", p50_ms=0.3, p95_ms=1.1)),
        "pools": (a_pool(),),
        "cache": a_cache(),
        "acknowledged": 0,
    }
    return WorkerSnapshot(**(said | more))


def publish(*workers: WorkerSnapshot) -> None:
    for worker in workers:
        snapshots.publish(msgspec.structs.replace(worker, age_s=0.0))


def a_troubled_fleet(size: int = 6, *, acknowledged: int = 0) -> list[WorkerSnapshot]:
    """Open on two of its workers, probing on one, passing on the others."""
    fleet = [a_worker(number, acknowledged=acknowledged) for number in range(1, size + 1)]
    others = (a_breaker(BLOCK), a_breaker("l2", p50_ms=0.3, p95_ms=1.1))
    for at in range(min(size, 2)):
        troubled = (an_open_breaker(retry_in_s=18.0 + at), *others)
        pool = a_pool(in_flight=60 + at, waiting=220, limit=30, limiter="adaptive")
        fleet[at] = msgspec.structs.replace(fleet[at], breakers=troubled, pools=(pool,))
    if size > 2:
        probing = a_breaker(state="half_open", failure_rate=0.224, failures=20, calls=89)
        fleet[2] = msgspec.structs.replace(fleet[2], breakers=(probing, *others))
    return fleet
