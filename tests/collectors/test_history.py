"""What is kept: three steps, made ahead and dropped, read with gaps and without falls."""

import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError, connection

from monitoring import instruments
from monitoring.collectors.questions import questions
from monitoring.history import distributions, figures, reading, writing
from monitoring.history.figures import Figure
from monitoring.samples import Sample
from monitoring.totals import Reading

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def empty() -> Iterator[None]:
    _forget()
    yield
    _forget()


def _forget() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE monitoring_point_10s, monitoring_point_1m, monitoring_point_1h")


def now() -> datetime:
    """The last minute that began."""
    return datetime.now(tz=UTC).replace(second=0, microsecond=0)


def write(at: datetime, *found: Figure) -> None:
    write_all([(at, found)])


def write_all(moments: Iterable[tuple[datetime, tuple[Figure, ...]]]) -> None:
    writer = writing.Writer()
    with questions() as on, on.transaction(writes=True) as cursor:
        for at, found in moments:
            writer.write(cursor, at, found)


def gauge(value: float, name: str = "a.gauge") -> Figure:
    return Figure(name=name, value=value)


def counter(value: float, name: str = "a.counter") -> Figure:
    return Figure(name=name, value=value, counter=True)


def points(table: str) -> list[tuple[float, float | None, float | None]]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT value, low, high FROM {table} ORDER BY series, at")
        return list(cursor.fetchall())


def partitions(table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = %s::regclass ORDER BY 1",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


def test_minutes_and_hours_are_added_up_once_and_only_when_over() -> None:
    at = now() - timedelta(minutes=3)
    write_all(
        (at + timedelta(seconds=10 * n), (gauge(float(n)), counter(100.0 + n))) for n in range(18)
    )
    with questions() as on:
        for _ in range(2):
            writing.add_up(on, at + timedelta(minutes=2, seconds=30))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT s.name, p.value, p.low, p.high FROM monitoring_point_1m p"
            " JOIN monitoring_series s ON s.id = p.series ORDER BY s.name, p.at"
        )
        rows = cursor.fetchall()
    assert rows == [
        ("a.counter", 105.0, 100.0, 105.0),
        ("a.counter", 111.0, 106.0, 111.0),
        ("a.gauge", 2.5, 0.0, 5.0),
        ("a.gauge", 8.5, 6.0, 11.0),
    ]


def test_what_was_missed_is_added_up_later() -> None:
    at = now().replace(minute=0) - timedelta(hours=3)
    write_all((at + timedelta(minutes=n), (gauge(float(n // 60)),)) for n in range(180))
    with questions() as on:
        writing.add_up(on, at + timedelta(hours=2, minutes=59))
        assert [value for value, _, _ in points("monitoring_point_1h")] == [0.0, 1.0]
        writing.add_up(on, at + timedelta(hours=3))
    assert [value for value, _, _ in points("monitoring_point_1h")] == [0.0, 1.0, 2.0]


def test_a_series_has_gaps_where_nothing_was_measured() -> None:
    until = now()
    for ago in (50, 40, 20):
        write(until - timedelta(seconds=ago), gauge(float(ago)), counter(1_000.0 - ago))
    found = reading.read(["a.gauge", "a.counter", "never"], range_s=60, until=until, points=6)
    assert found["a.gauge"].points == (None, 50.0, 40.0, None, 20.0, None)
    assert found["a.gauge"].newest == 20.0
    assert found["a.gauge"].highest == 50.0
    assert found["a.counter"].points == (None, None, 1.0, None, None, None)
    assert found["never"].points == (None,) * 6
    assert not found["never"].known


def test_a_counter_that_fell_is_no_negative_rate() -> None:
    until = now()
    for ago, value in ((40, 500.0), (30, 600.0), (20, 5.0), (10, 15.0)):
        write(until - timedelta(seconds=ago), counter(value))
    (series,) = reading.read(["a.counter"], range_s=30, until=until, points=3).values()
    assert series.points == (10.0, None, 1.0)


def test_a_share_is_of_steps_where_there_was_any() -> None:
    until = now()
    for ago, hits, asked in ((30, 0.0, 0.0), (20, 30.0, 40.0), (10, 30.0, 40.0)):
        write(until - timedelta(seconds=ago), counter(hits, "a.hits"), counter(asked, "a.asked"))
    found = reading.read(["a.hits", "a.asked"], range_s=20, until=until, points=2)
    assert reading.ratio(found["a.hits"], found["a.asked"]) == (0.75, None)


def test_long_ranges_come_from_coarser_steps() -> None:
    until = now()
    write(until - timedelta(minutes=50), gauge(4.0))
    with questions() as on:
        writing.add_up(on, until)
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE monitoring_point_10s")
    day = reading.read(["a.gauge"], range_s=86_400, until=until)["a.gauge"]
    assert day.newest == 4.0
    assert not reading.read(["a.gauge"], range_s=3_600, until=until)["a.gauge"].known


def test_partitions_are_made_a_week_ahead_and_dropped_when_over() -> None:
    start = datetime.now(tz=UTC)
    today = f"monitoring_point_10s_{start:%Y%m%d}"
    ahead = f"monitoring_point_10s_{start + timedelta(days=7):%Y%m%d}"
    assert {today, ahead} <= set(partitions("monitoring_point_10s"))
    with connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT * FROM monitoring_tend_history(%s)", [start + timedelta(days=3)])
        made, dropped = cursor.fetchone() or (0, 0)
        names = set(partitions("monitoring_point_10s"))
        kept = set(partitions("monitoring_point_1m"))
        cursor.execute("ROLLBACK")
    # Of both tables with days; of those with 10 s what ended a day before is gone.
    assert made >= 6
    assert dropped == 2
    assert today not in names
    assert f"monitoring_point_10s_{start + timedelta(days=2):%Y%m%d}" in names
    assert f"monitoring_point_10s_{start + timedelta(days=10):%Y%m%d}" in names
    assert today.replace("10s", "1m") in kept


def test_tending_twice_changes_nothing() -> None:
    with questions() as on:
        writing.tend(on, datetime.now(tz=UTC))
        assert writing.tend(on, datetime.now(tz=UTC)) == (0, 0)


def test_a_point_of_a_day_without_a_partition_is_not_lost() -> None:
    far = now() + timedelta(days=40)
    write(far, gauge(1.0))
    assert points("monitoring_point_10s_rest") == [(1.0, None, None)]


def counted(*samples: Sample) -> dict[str, float]:
    reading_ = Reading(counters=samples, live=(), lost={}, sources={})
    found = list(figures.of_totals(reading_))
    assert all(figure.counter for figure in found)
    return {figure.name: figure.value for figure in found}


def test_counters_of_the_fleet_are_summed_by_what_they_say() -> None:
    def sample(name: str, value: float, **labels: str) -> Sample:
        return Sample(f"switchyard_{name}", labels, value)

    found = counted(
        sample("validations_total", 7, kind="tx", verdict="valid"),
        sample("validations_total", 2, kind="tx", verdict="error"),
        sample("rpc_requests_total", 30, method="m", outcome="ok"),
        sample("rpc_requests_total", 4, method="m", outcome="node_timeout"),
        sample("cache_requests_total", 6, level="l1", result="hit"),
        sample("cache_requests_total", 4, level="l1", result="miss"),
        sample("cache_requests_total", 3, level="l2", result="stale"),
        sample("http_request_duration_seconds_count", 9, route="/", status="200"),
        sample("http_request_duration_seconds_count", 1, route="/", status="503"),
    )
    assert (found["validations.all"], found["validations.not_valid"]) == (9, 2)
    assert (found["rpc.all"], found["rpc.failed"], found["rpc.retries"]) == (34, 4, 0)
    assert (found["cache.lookups"], found["cache.hits"]) == (10, 9)
    assert (found["http.all"], found["http.failed"]) == (10, 1)


def test_levels_of_the_cache_and_kinds_of_failure_are_told_apart() -> None:
    def sample(name: str, value: float, **labels: str) -> Sample:
        return Sample(f"switchyard_{name}", labels, value)

    found = counted(
        sample("cache_requests_total", 6, level="l1", result="hit"),
        sample("cache_requests_total", 4, level="l1", result="miss"),
        sample("cache_requests_total", 3, level="l2", result="stale"),
        sample("cache_requests_total", 1, level="l2", result="error"),
        sample("cache_requests_total", 9, level="l2", result="skipped"),
        sample("rpc_requests_total", 4, method="m", outcome="node_timeout"),
        sample("rpc_requests_total", 2, method="m", outcome="http_status"),
        sample("http_request_duration_seconds_count", 3, route="/", status="503"),
        sample("http_request_duration_seconds_count", 1, route="/", status="500"),
    )
    assert (found["cache.l1_hits"], found["cache.lookups"]) == (6, 10)
    assert (found["cache.l2_hits"], found["cache.l2_lookups"], found["cache.l2_failed"]) == (
        3,
        4,
        1,
    )
    assert (found["rpc.timeouts"], found["rpc.failed"]) == (4, 6)
    assert (found["http.busy"], found["http.failed"]) == (3, 4)


def test_of_histograms_the_bounds_that_are_asked_about_are_kept() -> None:
    def sample(part: str, value: float, route: str = "runs", **labels: str) -> Sample:
        name = f"switchyard_http_request_duration_seconds_{part}"
        return Sample(name, {"route": route, "status": "200", **labels}, value)

    found = counted(
        sample("count", 10),
        sample("sum", 0.5),
        sample("bucket", 7, le="0.06"),
        sample("bucket", 9, le="30.0"),
        sample("count", 4, route="api-v1:runs"),
        sample("bucket", 2, route="api-v1:runs", le="0.15"),
        Sample("switchyard_pool_wait_seconds_bucket", {"pool": "node", "le": "1.0"}, 5.0),
        Sample("switchyard_pool_wait_seconds_bucket", {"pool": "db.web", "le": "1.0"}, 3.0),
    )
    assert (found["http.timed"], found["http.seconds"], found["http.le.0.06"]) == (14, 0.5, 7)
    assert (found["api.timed"], found["api.le.0.15"], found["http.le.0.15"]) == (4, 2, 2)
    assert found["db_wait.le.1"] == 3
    assert "http.le.30" not in found


@pytest.mark.parametrize("family", distributions.FAMILIES)
def test_bounds_that_are_kept_are_the_histograms_own(family: str) -> None:
    kept = distributions.FAMILIES[family]
    histogram = {
        "http_request_duration_seconds": instruments.HTTP_DURATION,
        "db_query_duration_seconds": instruments.DB_QUERY_DURATION,
        "pool_wait_seconds": instruments.POOL_WAIT,
        "validation_duration_seconds": instruments.VALIDATION_DURATION,
    }[kept.histogram]
    assert kept.bounds == tuple(sorted(kept.bounds))
    assert set(kept.bounds) <= set(histogram._upper_bounds)


def test_counters_that_are_not_known_are_no_zero() -> None:
    unknown = Reading(counters=None, live=None, lost=None, sources={})
    assert list(figures.of_totals(unknown)) == []


def test_an_hour_of_long_ago_comes_in_the_steps_that_are_still_kept() -> None:
    at = now() - timedelta(days=3)
    write_all((at + timedelta(seconds=10 * n), (gauge(float(n)),)) for n in range(12))
    with questions() as on:
        writing.add_up(on, at + timedelta(minutes=5))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE monitoring_point_10s")
    until = at + timedelta(minutes=2)
    found = reading.read(["a.gauge"], range_s=120, until=until, points=60, now=now())
    assert found["a.gauge"].points == (2.5, 8.5)
    assert reading.points_of(120, until=until, now=now()) == 2
    assert reading.points_of(120, until=now(), now=now()) == 12


def test_a_table_that_is_locked_is_not_waited_for() -> None:
    with questions() as on, on.transaction(writes=True) as cursor:
        cursor.execute("LOCK TABLE monitoring_point_10s IN ACCESS EXCLUSIVE MODE")
        started = time.monotonic()
        with pytest.raises(OperationalError):
            reading.read(["a.gauge"], range_s=60, until=now())
        assert time.monotonic() - started < 2.0
    # What held there holds nowhere else.
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
