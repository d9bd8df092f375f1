"""The database's page: what the collector saw, its age, and what is not known."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import msgspec
import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.access.roles import Role
from console.pages import database, topics
from monitoring import valkey
from tests import made_up_database as made_up
from tests.pages.conftest import Page, keep_point

See = Callable[..., Page]


def test_what_the_collector_saw(viewer: Client, see: See) -> None:
    made_up.publish_all()
    text = see(viewer, "/database/").text
    for said in (
        "20 of 97",
        "max_connections 100, 3 reserved",
        "Waiting for locks 2",
        "1 min 4 s",
        "99.8 %",
        "41.5/s 0.5/s rolled back",
        "1 deadlock",
        "switchyard worker active 12 2",
        "Lock: relation",
        "41 web RowExclusiveLock validation_run 40 UPDATE t SET a = ?",
        "40 migrate idle in transaction 1 min 30 s",
        made_up.TEXT,
        "61.0 % 1 200 70 ms",
        "replica-1 streaming async 2.5 MB 1.5 s",
        "Slot left , nobody reads it, keeps 9.0 GB of WAL",
        "Cache 84 MB of 512 MB volatile-lfu 90.0 % 7 9",
        "Wake-ups in switchyard : 14, 2 with workers; the oldest waits 8.0 s",
    ):
        assert said in text.replace("\u202f", " "), said


def test_advice_says_what_it_rests_on(viewer: Client, see: See) -> None:
    made_up.publish_all()
    text = see(viewer, "/database/").text
    for said in (
        "chunk_unused Not used since the statistics began, and 12.0 MB large.",
        "Read as a whole 90 times, 100000 rows each; 12 times by an index.",
        "38 % of its rows, 60000, are dead.",
        "About 71 % of it, 60 MB, holds no row: estimated from pg_stats as of its last ANALYZE.",
        "process 40 (migrate) It does nothing in a transaction for 90 s.",
    ):
        assert said in text, said


def test_bloat_is_shown_as_an_estimate_and_as_not_known(viewer: Client, see: See) -> None:
    made_up.publish_all()
    text = see(viewer, "/database/").text.replace("\u202f", " ")
    assert "Dead Bloat, about" in text
    assert "60 000 37.5 % 60 MB 71.4 %" in text
    assert "Bloat is an estimate from pg_stats" in text
    unknown = made_up.a_table(bloat_bytes=None, bloat_share=None)
    sizes = made_up.a_troubled_postgres().sizes
    assert sizes is not None
    sizes = msgspec.structs.replace(sizes, tables=(unknown,))
    made_up.publish(postgres=made_up.a_troubled_postgres(sizes=sizes))
    text = see(viewer, "/database/").text.replace("\u202f", " ")
    assert "60 000 37.5 % – 90" in text
    assert "holds no row" not in text


def test_connections_that_run_out_are_advised_on(viewer: Client, see: See) -> None:
    full = made_up.a_troubled_postgres(connections=made_up.some_connections(active=80))
    made_up.publish(postgres=full)
    text = see(viewer, "/database/").text
    assert "88 of 97 connections that the application may take are taken." in text


def test_a_server_that_is_well_is_left_alone(viewer: Client, see: See) -> None:
    well = made_up.a_troubled_postgres(blocked=(), sessions=(), replicas=(), slots=(), sizes=None)
    made_up.publish(postgres=well)
    text = see(viewer, "/database/").text
    assert "Nothing stands out; tables and indexes were not read yet." in text
    assert "Nobody waits for a lock" in text
    assert "No replica is connected." in text


def test_a_failure_is_told_and_the_last_sample_stays(viewer: Client, see: See) -> None:
    made_up.publish_all()
    made_up.publish(postgres="No answer within 2 s: the question was taken back.")
    text = see(viewer, "/database/").text
    assert "Postgres does not answer the collector. No answer within 2 s" in text
    assert "What follows is from" in text
    assert "20 of 97" in text


def test_a_failure_without_a_sample_knows_nothing(viewer: Client, see: See) -> None:
    made_up.publish(postgres="It cannot be reached.")
    # Halfway through the two minutes that it is kept, which is how its age is known.
    assert valkey.client().expire("switchyard:collected:postgres:failure", 60)
    text = see(viewer, "/database/").text
    assert "It cannot be reached. Last tried 1 min ago . Nothing is known from before." in text
    assert "Connections no data" in text


def test_a_part_that_was_not_read_is_no_zero(viewer: Client, see: See) -> None:
    said = "The role may not read it: grant it pg_monitor."
    partly = made_up.a_troubled_postgres(statements=None, failures={"statements": said})
    made_up.publish(postgres=partly)
    text = see(viewer, "/database/").text
    assert f"Not read this time: statements. {said}" in text
    assert "Statements that took most time no data" in text


@pytest.mark.parametrize("reachable", [True, False])
def test_nothing_known_is_said(
    viewer: Client, see: See, monkeypatch: pytest.MonkeyPatch, reachable: bool
) -> None:
    if not reachable:
        monkeypatch.setattr("monitoring.collectors.told.valkey", _Away())
    text = see(viewer, "/database/").text
    assert ("No data yet" if reachable else "No data: Valkey") in text
    assert "0 of" not in text


class _Away:
    @staticmethod
    def client() -> object:
        raise valkey.ValkeyUnset


def test_the_page_asks_the_database_only_for_who_reads_and_lately(viewer: Client) -> None:
    made_up.publish_all()
    with CaptureQueriesContext(connection) as captured:
        assert viewer.get("/database/").status_code == 200
    asked = [query["sql"] for query in captured]
    assert not [sql for sql in asked if "pg_stat" in sql or "pg_locks" in sql]
    assert len(asked) <= 8


def test_lately_is_drawn_from_the_history(viewer: Client, see: See) -> None:
    now = datetime.now(tz=UTC)
    for n in range(20):
        keep_point("postgres.connections", now - timedelta(minutes=2 * n + 1), 10.0 + n)
    page = see(viewer, "/database/?range=1h")
    assert "Connections 10 29 at most" in page.text
    drawn = [attrs["d"] for attrs in page.all("path") if attrs.get("vector-effect")]
    assert len(drawn) == 1
    assert drawn[0] is not None
    assert drawn[0].count("M") >= 10


def test_lately_is_no_data_while_the_database_does_not_tell(viewer: Client, see: See) -> None:
    made_up.publish_all()
    with patch("console.pages.trends.reading.read", side_effect=OperationalError):
        text = see(viewer, "/database/").text
    assert "Commits no data" in text
    assert "20 of 97" in text


@pytest.mark.parametrize("name", [*database.TABLES, ""])
def test_each_table_as_a_file(viewer: Client, name: str) -> None:
    made_up.publish_all()
    rows = json.loads(b"".join(viewer.get(f"/database/?format=json&table={name}")))
    assert len(rows) >= 1
    kind = database.TABLES[name or "statements"].kind
    assert list(rows[0]) == list(kind.__struct_fields__)


@pytest.mark.parametrize(("table", "status"), [("nothing", 404), ("statements", 503)])
def test_a_table_that_is_not_known_is_not_empty(viewer: Client, table: str, status: int) -> None:
    response = viewer.get(f"/database/?format=csv&table={table}")
    assert response.status_code == status


def test_what_is_pushed_is_the_same_until_the_next_look(db: None) -> None:
    made_up.publish_all()
    first, second = (topics.render_database("", Role.VIEWER) for _ in range(2))
    assert set(first) == {f"database-{name}" for name in database.REGIONS}
    assert {name for name in first if first[name] != second[name]} <= {"database-servers"}
