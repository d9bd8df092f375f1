"""A pool lends sound connections alone, waits for as long as the request may, and tells of it."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg_pool import ConnectionPool, PoolTimeout, TooManyRequests

from console import away, patience
from console.away import Why
from console.embedded.cluster import Cluster
from console.postgres.lending import Connections, Lender
from console.postgres.outage import DatabaseAway
from tests.fleet import wait_until
from validation.timeouts import SessionTimeouts

_NAME = "db.lending"


@pytest.fixture
def pool(services: Cluster) -> Iterator[Connections]:
    options: dict[str, Any] = {"kwargs": {"autocommit": True}, "max_waiting": 1, "check": None}
    with ConnectionPool(
        services.dsn, min_size=2, max_size=2, open=False, name=_NAME, reconnect_timeout=0, **options
    ) as opened:
        opened.wait(10)
        yield opened


@pytest.fixture
def lender() -> Lender:
    return Lender(_NAME, SessionTimeouts())


def end_all(cluster: Cluster) -> None:
    """What a restart of Postgres does to whom holds a connection."""
    with psycopg.connect(cluster.dsn, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE pid <> pg_backend_pid() AND application_name = ''"
            " AND query LIKE 'SET statement_timeout%'"
        )


def test_broken_ones_are_passed_over_without_a_pause(
    services: Cluster, pool: Connections, lender: Lender
) -> None:
    lent = [lender.lend(pool), lender.lend(pool)]
    for connection in lent:
        lender.taken_back(connection)
        pool.putconn(connection)
    before = {connection.info.backend_pid for connection in lent}
    end_all(services)
    again = lender.lend(pool)
    assert again.execute("SELECT 1").fetchone() == (1,)
    assert again.info.backend_pid not in before
    pool.putconn(again)


def test_a_request_waits_for_what_its_queue_has_left_it(pool: Connections, lender: Lender) -> None:
    held = [lender.lend(pool), lender.lend(pool)]
    patience.has_queued(0.9)
    try:
        with pytest.raises(PoolTimeout, match=r"after 0\.[01]"):
            lender.lend(pool)
    finally:
        patience.has_queued(0.0)
    for connection in held:
        pool.putconn(connection)


def test_a_full_waiting_room_refuses_at_once_and_is_seen(pool: Connections, lender: Lender) -> None:
    held = [lender.lend(pool), lender.lend(pool)]

    def wait() -> None:
        # Longer than a request may, which has a second: it is to wait until one is given back.
        patience.has_queued(-30.0)
        with contextlib.suppress(PoolTimeout):
            held.append(lender.lend(pool))

    waiting = threading.Thread(target=wait)
    waiting.start()
    wait_until(lambda: figures(lender)["waiting"] == 1, within_s=5, what="one waits")
    with pytest.raises(TooManyRequests):
        lender.lend(pool)
    assert figures(lender) == {"used": 2, "idle": 0, "connections_max": 2, "waiting": 1}
    lender.taken_back(held[0])
    pool.putconn(held.pop(0))
    waiting.join()
    for connection in held:
        lender.taken_back(connection)
        pool.putconn(connection)
    assert figures(lender) == {"used": 0, "idle": 2, "connections_max": 2, "waiting": 0}


def figures(lender: Lender) -> dict[str, float]:
    prefix = "switchyard_pool_"
    return {s.labels.get("state", s.name.removeprefix(prefix)): s.value for s in lender.samples()}


def test_open_connections_are_told_of_another_timeout_when_next_lent(pool: Connections) -> None:
    timeouts = SessionTimeouts()
    lender = Lender(_NAME, timeouts)
    for statement_ms, told in ((30_000, "30s"), (7_500, "7500ms"), (30_000, "30s")):
        timeouts.set(statement_ms)
        for connection in (lender.lend(pool), lender.lend(pool)):
            assert connection.execute("SHOW statement_timeout").fetchone() == (told,)
            lender.taken_back(connection)
            pool.putconn(connection)
    assert pool.get_stats()["connections_num"] == 2


def test_nothing_is_told_of_a_pool_that_is_not_open(pool: Connections, lender: Lender) -> None:
    assert lender.samples() == ()
    lender.watch(pool)
    pool.close()
    assert lender.samples() == ()


class _Obeyed(SessionTimeouts):
    """Asks nothing, as for a connection that is known to be pooled."""

    def obey(self, connection: object) -> bool:
        return False


class _Unserved:
    """A pool of one connection through a PgBouncer whose Postgres is frozen: it ends with what
    PgBouncer says after query_wait_timeout, and no other comes.
    """

    name, closed, autocommit = _NAME, False, True
    serves = False

    def getconn(self, timeout: float) -> "_Unserved":
        if self.closed:
            raise PoolTimeout(f"couldn't get a connection after {timeout:.2f} sec")
        return self

    def putconn(self, _: object) -> None:
        pass

    def execute(self, _: str) -> None:
        if not self.serves:
            self.closed = True
            raise psycopg.errors.ProtocolViolation("query_wait_timeout")


def test_a_pooler_that_finds_no_postgres_is_not_too_many_who_ask() -> None:
    pool: Any = _Unserved()
    lender = Lender(_NAME, _Obeyed())
    # Who waited for its turn meanwhile is told the same.
    for _ in range(2):
        with pytest.raises(DatabaseAway) as raised:
            lender.lend(pool)
        assert away.why(raised.value) is Why.AWAY
    pool.closed, pool.serves = False, True
    lender.lend(pool)
    pool.closed = True
    with pytest.raises(PoolTimeout) as taken:
        lender.lend(pool)
    assert away.why(taken.value) is Why.FULL
