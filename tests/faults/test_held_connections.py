"""Connections that a web process lends to nobody: counted as lent, and given back."""

from collections.abc import Iterator

import pytest
from psycopg_pool import ConnectionPool

from console.embedded.cluster import Cluster
from console.faults.held_connections import HeldConnections, share_of
from console.postgres.lending import lender_of
from tests.fleet import wait_until

NAME = "db.of_a_fault"


@pytest.fixture
def pool(services: Cluster) -> Iterator[ConnectionPool]:
    with ConnectionPool(services.dsn, name=NAME, min_size=0, max_size=6) as made:
        yield made


def _used() -> float:
    samples = lender_of(NAME).samples()
    return next(s.value for s in samples if s.labels.get("state") == "used")


def _tended(held: HeldConnections, number: int) -> bool:
    """As the web process does it, time and again: one may take longer than a request may wait."""
    held.tend()
    return held.held == number


def test_all_but_one_are_held_and_seen_as_lent(pool: ConnectionPool) -> None:
    asked = True
    held = HeldConnections(pool, lambda: asked)
    wait_until(lambda: _tended(held, 5), within_s=20, what="all but one are held")
    assert _used() == 5
    with pool.connection(timeout=20) as last:
        assert last.execute("SELECT 1").fetchone() == (1,)
    asked = False
    held.tend()
    assert (held.held, _used()) == (0, 0)


def test_they_work_as_before_once_they_are_back(pool: ConnectionPool) -> None:
    held = HeldConnections(pool, lambda: True)
    wait_until(lambda: _tended(held, 5), within_s=20, what="all but one are held")
    held.give_back()
    with pool.connection(timeout=20) as one:
        assert one.execute("SELECT 1").fetchone() == (1,)


def test_what_others_were_first_to_take_is_left_to_them(pool: ConnectionPool) -> None:
    taken = [pool.getconn(timeout=20) for _ in range(4)]
    held = HeldConnections(pool, lambda: True)
    wait_until(lambda: _tended(held, 2), within_s=20, what="what was left is held")
    for connection in taken:
        pool.putconn(connection)
    wait_until(lambda: _tended(held, 5), within_s=20, what="all but one are held")
    held.give_back()


@pytest.mark.parametrize(("most", "share"), [(1, 1), (2, 2), (4, 4), (5, 4), (8, 7), (100, 99)])
def test_one_is_left_where_the_pool_is_felt_to_be_full_all_the_same(most: int, share: int) -> None:
    assert share_of(most) == share
