"""What was counted of late, read from history in a real Postgres."""

from datetime import timedelta

import pytest
from django.db import connection

from monitoring.alerts import windows
from monitoring.collectors.questions import questions
from tests import empty_world
from tests.alerts.looking import NOON

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_kept(transactional_db: None) -> None:
    empty_world.begin()


def keep(name: str, points: dict[float, float]) -> None:
    """Of a counter, what it stood at so many minutes ago."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO monitoring_series (name, counter) VALUES (%s, true)"
            " ON CONFLICT (name) DO UPDATE SET counter = true RETURNING id",
            [name],
        )
        (series,) = cursor.fetchone() or (0,)
        rows = [[NOON - timedelta(minutes=ago), series, value] for ago, value in points.items()]
        cursor.executemany(
            "INSERT INTO monitoring_point_10s (at, series, value) VALUES (%s, %s, %s)", rows
        )


def read() -> windows.Windows:
    with questions() as on:
        return windows.read(on, NOON)


def test_growth_is_of_each_window() -> None:
    keep("http.all", {300: 0, 50: 1000, 20: 1500, 3: 1600, 0: 1700})
    assert read().grown["http.all"] == {1: 100, 5: 200, 10: 200, 30: 700, 60: 1700, 360: 1700}


def test_a_counter_that_began_again_takes_nothing_back() -> None:
    keep("http.all", {4: 1000, 3: 1100, 2: 0, 0: 50})
    assert read().grown["http.all"][5] == 150


def test_what_is_not_counted_of_late_is_not_known() -> None:
    keep("http.all", {10: 0, 2: 100})
    keep("http.failed", {10: 0, 0.5: 1})
    found = read()
    assert "http.all" not in found.grown
    assert found.share("http.failed", "http.all", 5) is None


@pytest.mark.parametrize(
    ("part", "whole"), [("http.le.0.15", "http.all"), ("cache.l2_failed", "cache.l2_lookups")]
)
def test_parts_that_rules_judge_are_read(part: str, whole: str) -> None:
    keep(whole, {4: 0, 0: 200})
    keep(part, {4: 0, 0: 50})
    assert read().share(part, whole, 5) == windows.Share(value=0.25, all=200)


def test_a_share_of_nothing_is_none() -> None:
    keep("http.all", {2: 5, 0: 5})
    keep("http.failed", {2: 0, 0: 0})
    assert read().share("http.failed", "http.all", 5) == windows.Share(value=None, all=0)


def test_silence_is_since_the_newest_slot_and_of_none_nothing_is_known() -> None:
    assert read().silent_s is None
    with connection.cursor() as cursor:
        cursor.execute("UPDATE monitoring_collector SET slot = %s", [NOON - timedelta(seconds=90)])
    assert read().silent_s == 90
