"""A real streaming replica: copied once, kept while it can follow, copied anew where it cannot."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.embedded.cluster import Cluster
from console.embedded.errors import EmbeddedError
from console.embedded.postgres import FAST
from console.embedded.replica import Replica
from tests.fleet import wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster.under(tmp_path_factory.mktemp("var"), settings=FAST, replicas=1) as running:
        _ask(running.dsn, "CREATE TABLE told (words text)")
        made = "SELECT 1 FROM pg_tables WHERE tablename = 'told'"
        url = running.replicas[0].url
        wait_until(lambda: bool(_ask(url, made)), within_s=10, what="the replica has the table")
        yield running


@pytest.fixture
def replica(cluster: Cluster) -> Replica:
    return cluster.replicas[0]


def _ask(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as link:
        found = link.execute(query.encode(), values)
        return found.fetchall() if found.description else []


def _tell(cluster: Cluster, words: str) -> None:
    _ask(cluster.dsn, "INSERT INTO told VALUES (%s)", words)


def _hears(replica: Replica, words: str) -> None:
    def heard() -> bool:
        return (words,) in _ask(replica.url, "SELECT words FROM told")

    wait_until(heard, within_s=10, what=f"{words!r} is on the replica")


def _system(url: str) -> Any:
    return _ask(url, "SELECT system_identifier FROM pg_control_system()")


def _mark(replica: Replica) -> Path:
    """A file in its folder: gone where it was copied anew."""
    mark = replica.home / "of_this_copy"
    mark.touch()
    return mark


def test_it_follows_and_takes_no_writes(cluster: Cluster, replica: Replica) -> None:
    _tell(cluster, "first")
    _hears(replica, "first")
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        _ask(replica.url, "INSERT INTO told VALUES ('no')")
    names = _ask(cluster.dsn, "SELECT application_name FROM pg_stat_replication")
    assert names == [(replica.label,)]


def test_started_again_it_keeps_its_copy(cluster: Cluster, replica: Replica) -> None:
    mark = _mark(replica)
    replica.stop()
    _tell(cluster, "while it was away")
    replica.start()
    _hears(replica, "while it was away")
    assert mark.exists()


def test_promoted_it_is_copied_anew(cluster: Cluster, replica: Replica) -> None:
    mark = _mark(replica)
    _ask(replica.url, "SELECT pg_promote()")
    _ask(replica.url, "INSERT INTO told VALUES ('of another line')")
    replica.restart()
    _tell(cluster, "after it was promoted")
    _hears(replica, "after it was promoted")
    assert ("of another line",) not in _ask(replica.url, "SELECT words FROM told")
    assert not mark.exists()


def test_what_the_primary_kept_no_wal_for_is_copied_anew(
    cluster: Cluster, replica: Replica
) -> None:
    mark = _mark(replica)
    replica.stop()
    _ask(cluster.dsn, "SELECT pg_drop_replication_slot(%s)", replica.slot)
    _tell(cluster, "nobody waited")
    replica.start()
    _hears(replica, "nobody waited")
    assert not mark.exists()


def test_it_starts_without_its_primary_and_catches_up(cluster: Cluster, replica: Replica) -> None:
    mark = _mark(replica)
    replica.stop()
    cluster.postgres.stop()
    replica.start()
    cluster.postgres.start()
    _tell(cluster, "back again")
    _hears(replica, "back again")
    assert mark.exists()


def test_it_is_never_copied_from_nobody(cluster: Cluster, replica: Replica) -> None:
    replica.stop()
    cluster.postgres.stop()
    shutil.rmtree(replica.home)
    try:
        with pytest.raises(EmbeddedError, match="replica1 cannot be copied"):
            replica.start()
    finally:
        cluster.postgres.start()
    replica.start()


def test_a_copy_of_another_primary_is_thrown_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("var")
    with Cluster.under(folder, settings=FAST, replicas=1) as first:
        before = _system(first.dsn)
    shutil.rmtree(first.postgres.data)
    with Cluster.under(folder, settings=FAST, replicas=1) as second:
        assert _system(second.replicas[0].url) == _system(second.dsn) != before
    with Cluster.under(folder, settings=FAST) as alone:
        # Or the primary would keep WAL for one that never comes.
        assert _ask(alone.dsn, "SELECT slot_name FROM pg_replication_slots") == []


def test_the_primary_keeps_wal_within_bounds(cluster: Cluster) -> None:
    assert _ask(cluster.dsn, "SHOW max_slot_wal_keep_size") == [("1GB",)]
