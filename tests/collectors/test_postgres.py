"""The collector of Postgres against a real server: what it sees, and what it does to it."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import psycopg
import pytest
from psycopg import errors

from monitoring.collectors.outcome import OutOfTime, look
from monitoring.collectors.postgres import PostgresCollector
from monitoring.collectors.postgres_samples import PostgresSample, Table
from monitoring.collectors.questions import questions
from tests.collectors.conftest import WITHIN_S

Session = Callable[..., psycopg.Connection[Any]]

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def collected(collector: PostgresCollector | None = None) -> PostgresSample:
    with questions() as on:
        return (collector or PostgresCollector()).collect(on)


def test_every_part_is_read_from_a_real_server() -> None:
    sample = collected()
    assert sample.failures == {}
    assert sample.server.max_connections == 200
    assert (sample.server.role_most, sample.server.database_most) == (-1, -1)
    assert sample.server.shared_bytes == 64 << 20
    assert sample.server.version.startswith("18")
    assert sample.server.sees_all
    assert sample.connections
    assert sum(one.number for one in sample.connections) >= 1
    assert sample.sizes is not None
    assert sample.sizes.database_bytes > 1_000_000
    assert "public.validation_run" in {table.name for table in sample.sizes.tables}
    assert any(index.unique for index in sample.sizes.indexes)
    assert sample.checkpoints is not None
    assert (sample.replicas, sample.slots) == ((), ())


def test_connections_are_counted_by_application_and_state(session: Session) -> None:
    session("idler")
    held = session("holder")
    held.execute("BEGIN")
    held.execute("SELECT 1")
    found = {(one.application, one.state): one for one in collected().connections or ()}
    assert found["idler", "idle"].number == 1
    assert found["idler", "idle"].transaction_s is None
    assert found["holder", "idle in transaction"].transaction_s is not None


def test_who_waits_for_a_lock_is_shown_with_who_holds_it(session: Session) -> None:
    holder, waiter = session("holder"), session("waiter")
    holder.execute("BEGIN")
    holder.execute("LOCK TABLE auth_permission IN ACCESS EXCLUSIVE MODE")
    asked = "UPDATE auth_permission SET codename = 'secret' WHERE name = 'nobody'"
    thread = threading.Thread(target=waiter.execute, args=[asked])
    thread.start()
    try:
        sample = _until(collected, lambda found: bool(found.blocked))
    finally:
        holder.execute("ROLLBACK")
        thread.join(timeout=WITHIN_S)
    assert sample.blocked is not None
    (blocked,) = sample.blocked
    assert (blocked.application, blocked.blockers) == ("waiter", (holder.info.backend_pid,))
    assert (blocked.mode, blocked.target) == ("RowExclusiveLock", "auth_permission")
    assert blocked.text == "UPDATE auth_permission SET codename = ? WHERE name = ?"
    assert [one.application for one in sample.sessions or ()][:1] == ["holder"]
    waiting = [one for one in sample.connections or () if one.application == "waiter"]
    assert waiting[0].on_locks == 1
    assert ("Lock", "relation") in {(wait.kind, wait.event) for wait in sample.waits or ()}
    # Sizes open each of the largest tables: one that is locked fails them, and nothing else.
    assert sample.failures == {
        "sizes": "It waits for a lock that somebody holds: given up after 0.5 s."
    }


def test_slow_statements_are_those_since_the_look_before(session: Session) -> None:
    clock = Clock()
    collector = PostgresCollector(clock=clock)
    other = session()
    other.execute("SELECT count(*) AS before FROM generate_series(1, 1000)")
    first = collected(collector).statements
    assert first is not None
    assert first.window_s is None
    for _ in range(3):
        other.execute("SELECT max(n) AS since FROM generate_series(1, 200000) AS n")
    clock.now += 60
    second = collected(collector).statements
    assert second is not None
    assert second.window_s == 60
    found = {one.text: one for one in second.slowest}
    since = found["SELECT max(n) AS since FROM generate_series($1, $2) AS n"]
    assert (since.calls, since.rows) == (3, 3)
    assert 0 < since.share <= 1
    assert since.mean_ms * 3 == pytest.approx(since.total_ms)
    assert not any("before" in text for text in found)


def test_rates_are_differences_and_unknown_at_first() -> None:
    clock = Clock()
    collector = PostgresCollector(clock=clock)
    assert collected(collector).rates is None
    clock.now += 10
    rates = collected(collector).rates
    assert rates is not None
    assert rates.window_s == 10
    assert rates.commits_per_s >= 0


def test_sizes_are_asked_once_a_minute() -> None:
    clock = Clock()
    collector = PostgresCollector(clock=clock)
    first = collected(collector).sizes
    clock.now += 59
    assert collected(collector).sizes is first
    clock.now += 2
    later = collected(collector).sizes
    assert first is not None
    assert later is not None
    assert later.at > first.at


def _table(name: str) -> Table:
    sizes = collected().sizes
    assert sizes is not None
    return next(table for table in sizes.tables if table.name == f"public.{name}")


@pytest.fixture
def of_wide_rows(session: Session) -> Iterator[psycopg.Connection[Any]]:
    """A table that nobody has analyzed yet, whose rows are of several widths, some with NULLs."""
    other = session()
    other.execute("CREATE TABLE swollen (id bigint, said text, maybe int) WITH (fillfactor = 90)")
    other.execute(
        "INSERT INTO swollen SELECT n, repeat('x', 40 + n % 50), CASE WHEN n % 3 = 0 THEN n END"
        " FROM generate_series(1, 60000) AS n"
    )
    other.execute("SELECT pg_stat_force_next_flush()")
    yield other
    other.execute("DROP TABLE swollen")


def test_bloat_is_estimated_where_there_is_some(of_wide_rows: psycopg.Connection[Any]) -> None:
    assert (_table("swollen").bloat_bytes, _table("swollen").bloat_share) == (None, None)
    of_wide_rows.execute("ANALYZE swollen")
    fresh = _table("swollen")
    assert fresh.bloat_share is not None
    assert fresh.bloat_share < 0.05
    # Spread over all pages, so that none is given back.
    of_wide_rows.execute("DELETE FROM swollen WHERE id % 4 <> 0")
    of_wide_rows.execute("VACUUM ANALYZE swollen")
    swollen = _table("swollen")
    assert swollen.bytes == pytest.approx(fresh.bytes, rel=0.05)
    assert swollen.bloat_share == pytest.approx(_measured(of_wide_rows), abs=0.05)
    assert swollen.bloat_bytes == pytest.approx(0.75 * swollen.bytes, rel=0.07)


def _measured(on: psycopg.Connection[Any]) -> float:
    """By the server's own walk through the table, whose pages are to be filled to nine tenths."""
    on.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple")
    row = on.execute("SELECT 100 - free_percent FROM pgstattuple('swollen')").fetchone()
    assert row is not None
    return 1 - float(row[0]) / 90


def test_a_look_is_cheap_for_the_server() -> None:
    collector = PostgresCollector()
    collected(collector)
    took = min(_timed(collector) for _ in range(5))
    assert took < 0.25


def test_no_question_lasts_longer_than_two_seconds() -> None:
    with questions() as on:
        (row,) = on.ask("SELECT current_setting('statement_timeout') AS most")
        assert row["most"] in {"2s", "2001ms"}
        with pytest.raises(errors.ReadOnlySqlTransaction):
            on.ask("CREATE TABLE left_behind AS SELECT 1 AS one")
        assert on.ask("SELECT 1 AS one") == [{"one": 1}]


def test_a_question_after_its_time_is_not_asked() -> None:
    with questions(look_s=0.5) as on:
        with pytest.raises(errors.QueryCanceled):
            on.ask("SELECT pg_sleep(5)::text AS slept")
        with pytest.raises(OutOfTime):
            on.ask("SELECT 1 AS one")


def test_a_server_that_freezes_in_the_middle_is_left() -> None:
    """A statement timeout is the server's word: one that is frozen never gives it."""
    started = time.monotonic()
    with questions(look_s=0.2) as on:
        (row,) = on.ask("SELECT pg_backend_pid() AS pid")
        backend = psutil.Process(row["pid"])
        backend.suspend()
        try:
            with pytest.raises(psycopg.OperationalError):
                on.ask("SELECT 1 AS one")
        finally:
            backend.resume()
    assert time.monotonic() - started < 3


def test_a_failure_is_an_answer_without_the_address(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection  # noqa: PLC0415 - the test's own

    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere/secret")
    outcome = look("postgres", collected)
    assert outcome.sample is None
    assert outcome.failure == "It cannot be reached, or the connection was cut."


def _timed(collector: PostgresCollector) -> float:
    started = time.monotonic()
    collected(collector)
    return time.monotonic() - started


def _until[T](read: Callable[[], T], wanted: Callable[[T], bool]) -> T:
    ends = time.monotonic() + WITHIN_S
    while not wanted(found := read()):
        assert time.monotonic() < ends, found
    return found
