"""Operators of each role, workers that report, and nobody to report to."""

from collections.abc import Callable, Iterator
from typing import Any, cast

import psycopg
import pytest
from django.db import connection
from django.test import override_settings

from console.access.audit import Actor
from console.access.roles import Role
from monitoring import snapshots, valkey
from monitoring.snapshots import BreakerReport, WorkerSnapshot
from validation import wiring

L2 = "l2"
WHY = "The node answers with stale blocks"


def actor(role: str = "operator", name: str = "ada") -> Actor:
    return Actor(name=name, role=Role(role), origin="page")


def report(name: str = L2, state: str = "closed", **changed: Any) -> BreakerReport:
    fields: dict[str, Any] = {
        "name": name, "state": state, "computed": state, "failure_rate": None, "slow_rate": None,
        "calls": 0, "failures": 0, "slow": 0, "rejected": 0, "trips": 0, "retry_in_s": None,
        "p50_ms": None, "p95_ms": None,
    }  # fmt: skip
    return BreakerReport(**(fields | changed))


def worker(number: int = 1, **changed: Any) -> WorkerSnapshot:
    fields: dict[str, Any] = {
        "id": f"host:{number}", "host": "host", "pid": number, "started_at": 0.0, "busy": False,
        "run": None, "items_done": 0, "chunks_done": 0, "rate": 0.0, "rss_bytes": 1,
    }  # fmt: skip
    return WorkerSnapshot(**(fields | changed))


def silent_for(number: int, seconds: int) -> None:
    """What so many silent seconds do: the key's life is what ages are read from."""
    valkey.client().expire(f"switchyard:worker:host:{number}", 600 - seconds)


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def no_valkey() -> Iterator[None]:
    valkey.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    valkey.client.cache_clear()


@pytest.fixture
def publish() -> Callable[..., None]:
    def tell(*told: WorkerSnapshot) -> None:
        for one in told:
            snapshots.publish(one)

    return tell


class Line:
    """Stands for a worker's connection: reads in the test's own transaction, and can be cut."""

    def __init__(self) -> None:
        self._is_cut = False

    def execute(self, *said: Any) -> psycopg.Cursor[Any]:
        if self._is_cut:
            raise psycopg.OperationalError("the connection is closed")
        raw: psycopg.Connection[Any] = connection.connection
        return raw.execute(*said)

    def close(self) -> None:
        self._is_cut = True


@pytest.fixture
def connect(db: None) -> Callable[[], psycopg.Connection[Any]]:
    connection.ensure_connection()
    return cast("Callable[[], psycopg.Connection[Any]]", Line)


@pytest.fixture
def worker_connection(transactional_db: None) -> Iterator[psycopg.Connection[Any]]:
    """A connection as a worker has it, apart from the test's."""
    with wiring.connect() as opened:
        yield opened
