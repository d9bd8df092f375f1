"""What is kept: three steps, made ahead and dropped, read with gaps and without falls."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from monitoring.collectors.questions import questions
from monitoring.history import figures, reading, writing
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


def test_counters_that_are_not_known_are_no_zero() -> None:
    unknown = Reading(counters=None, live=None, lost=None, sources={})
    assert list(figures.of_totals(unknown)) == []
