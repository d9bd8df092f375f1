"""Digests: which period is over, what is said of it, and that each is told once."""

from datetime import UTC, date, datetime, timedelta

import pytest

from monitoring.alerts import digests
from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert, Delivery, Notification

ALL = ("daily", "weekly", "monthly")
# A Wednesday.
NOON = datetime(2026, 11, 18, 12, 0, tzinfo=UTC)


def alert(rule: str, began: datetime, **more: object) -> Alert:
    values = {
        "group": RULES[rule].group, "severity": "warning", "state": "cleared", "began_at": began,
        "fired_at": began, "cleared_at": began + timedelta(minutes=10),
    }  # fmt: skip
    return Alert.objects.create(rule=rule, **(values | more))


@pytest.mark.parametrize(
    ("now", "kind", "first", "last"),
    [
        (NOON, "daily", date(2026, 11, 17), date(2026, 11, 17)),
        # Before seven the day before yesterday is the newest that was told of.
        (NOON.replace(hour=6, minute=59), "daily", date(2026, 11, 16), date(2026, 11, 16)),
        (NOON, "weekly", date(2026, 11, 9), date(2026, 11, 15)),
        (datetime(2026, 11, 16, 6, 0, tzinfo=UTC), "weekly", date(2026, 11, 2), date(2026, 11, 8)),
        (datetime(2026, 11, 16, 7, 0, tzinfo=UTC), "weekly", date(2026, 11, 9), date(2026, 11, 15)),
        (NOON, "monthly", date(2026, 10, 1), date(2026, 10, 31)),
        (datetime(2028, 3, 1, 8, 0, tzinfo=UTC), "monthly", date(2028, 2, 1), date(2028, 2, 29)),
        (datetime(2027, 1, 1, 6, 0, tzinfo=UTC), "monthly", date(2026, 11, 1), date(2026, 11, 30)),
    ],
)
def test_the_newest_period_that_is_over_is_told(
    now: datetime, kind: str, first: date, last: date
) -> None:
    (found,) = digests.periods(now, [kind])
    assert (found.first, found.last) == (first, last)


@pytest.mark.django_db
def test_each_is_written_once_however_often_one_looks() -> None:
    alert("db.pool_used", NOON - timedelta(days=40))
    assert digests.write_due(NOON) == len(ALL)
    assert digests.write_due(NOON + timedelta(minutes=5)) == 0
    assert digests.write_due(NOON + timedelta(days=1)) == 1
    keys = set(Notification.objects.values_list("key", flat=True))
    assert keys == {
        "digest:daily:2026-11-17",
        "digest:daily:2026-11-18",
        "digest:weekly:2026-11-09",
        "digest:monthly:2026-10-01",
    }
    assert set(Notification.objects.values_list("what", "routed")) == {("digest", False)}


@pytest.mark.django_db
def test_nothing_is_told_of_a_time_before_there_was_anything() -> None:
    assert digests.write_due(NOON) == 0
    alert("db.pool_used", NOON - timedelta(hours=20))
    assert digests.write_due(NOON) == 1


@pytest.mark.django_db
def test_it_says_what_fired_how_often_for_how_long_and_what_nobody_looked_at() -> None:
    day = NOON - timedelta(days=1)
    alert("db.pool_used", day, subject="db.primary")
    alert("db.pool_used", day + timedelta(hours=2), severity="critical", acknowledged_at=day)
    alert("node.down", day, subject="n1", cleared_at=None, state="firing")
    alert("cache.down", day - timedelta(days=1))
    (period,) = digests.periods(NOON, ["daily"])
    told = digests.compose(period, NOON)
    assert told.title == "Switchyard, daily digest: 3 alerts, 1 critical"
    pool, node = RULES["db.pool_used"].title, RULES["node.down"].title
    assert f"2 × {pool} (critical), 20 min in all, 1 acknowledged by nobody" in told.body
    # Until the end of the day that it is about.
    assert f"1 × {node} (warning), 12 h 0 min in all" in told.body
    assert f"Still firing at its end: 1.\n{node} (n1)" in told.body
    assert RULES["cache.down"].title not in told.body


@pytest.mark.django_db
def test_a_quiet_day_is_said_and_what_did_not_arrive_too() -> None:
    (period,) = digests.periods(NOON, ["daily"])
    lost = Notification.objects.create(
        key="k", group="cache", severity="warning", what="fired", title="T", body="B",
        created_at=NOON - timedelta(days=1),
    )  # fmt: skip
    Delivery.objects.create(notification=lost, destination="slack", state="given_up")
    body = digests.compose(period, NOON).body
    assert "No alert fired." in body
    assert "Still firing at its end: none." in body
    assert "did not take them: 1." in body
