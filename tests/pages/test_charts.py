"""Figures over time on a page: the stretch that its address names, its table, what is refused."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from console.pages import figures, trends, window
from monitoring.history import looking
from tests.pages.conftest import Page, keep_point

See = Callable[..., Page]
PAGES = ("/", "/pools/", "/database/", "/caches/", "/workers/")
NOW = datetime(2026, 3, 31, 12, tzinfo=UTC)


def data_of(page: Page) -> dict[str, object]:
    found = re.search(r'<script id="charts-data" type="application/json">(.*?)</script>', page.html)
    assert found
    parsed: dict[str, object] = json.loads(found[1])
    return parsed


@pytest.mark.parametrize(
    ("query", "begins", "ends", "name"),
    [
        ({}, NOW - timedelta(hours=1), NOW, "1h"),
        ({"range": "7d"}, NOW - timedelta(days=7), NOW, "7d"),
        ({"from": "2026-03-31T10:00:00Z"}, NOW - timedelta(hours=2), NOW, ""),
        (
            {"from": "2026-03-30", "to": "2026-03-31T02:00:00 02:00", "range": "1h"},
            NOW - timedelta(hours=36),
            NOW - timedelta(hours=12),
            "",
        ),
        ({"from": "2026-03-31T11:00", "to": "2027-01-01"}, NOW - timedelta(hours=1), NOW, ""),
    ],
)
def test_an_address_names_a_stretch_of_time(
    query: dict[str, str], begins: datetime, ends: datetime, name: str
) -> None:
    found = window.of(query, now=NOW)
    assert (found.begins, found.ends, found.name, found.refused) == (begins, ends, name, "")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"range": "2h"}, "range='2h' is none of 15m, 1h, 6h, 24h, 7d."),
        ({"from": "yesterday"}, "from='yesterday' is no moment such as"),
        ({"from": "9999-12-31T23:59:59-10:00"}, "is no moment such as"),
        ({"from": "2026-03-31T13:00"}, "from='2026-03-31T13:00' has not come yet."),
        ({"from": "2026-03-31T11:00", "to": "2026-03-31T10:00"}, "is not a minute or more before"),
        ({"from": "2024-03-31"}, "is more than a year before the end."),
        ({"to": "2026-03-31"}, "to= needs a from= before it."),
    ],
)
def test_what_cannot_be_shown_is_refused_in_words(query: dict[str, str], words: str) -> None:
    found = window.of(query, now=NOW)
    assert words in found.refused
    assert (found.length_s, found.name) == (3_600, "1h")


def test_a_breaker_that_was_open_for_a_part_of_a_minute_was_open(viewer: Client, see: See) -> None:
    minute = timezone.now().replace(second=0, microsecond=0) - timedelta(minutes=5)
    for second in range(0, 60, 10):
        at = minute + timedelta(seconds=second)
        keep_point("breakers.open", at, 1.0 if second in {20, 30} else 0.0)
    keep_point("breakers.open", minute + timedelta(seconds=150), 0.0)
    page = see(viewer, "/?range=1h")
    assert "Open breakers 0 1 at most" in page.text
    (line,) = [one for one in data_of(page)["lines"] if one["title"] == "Open breakers"]  # type: ignore[attr-defined]
    assert max(point or 0.0 for point in line["points"]) == 1.0


def test_almost_none_of_a_count_is_not_none() -> None:
    assert [trends.whole(value) for value in (0.0, 0.17, 0.5, 1.4, 1234.0)] == [
        "0", "0.2", "0.5", "1", figures.count(1234),
    ]  # fmt: skip


@pytest.mark.parametrize("address", PAGES)
def test_each_page_draws_what_its_address_names(viewer: Client, see: See, address: str) -> None:
    page = see(viewer, f"{address}?range=15m")
    current = [attrs for tag, attrs in page.tags if tag == "a" and attrs.get("data-range")]
    assert [a["href"] for a in current if a.get("aria-current")] == ["?range=15m"]
    assert "the last 15 min, from Postgres, read" in page.text.replace("\u202f", " ")
    data = data_of(page)
    assert len(data["at"]) == 60  # type: ignore[arg-type]
    assert data["ends"] - data["begins"] == 900  # type: ignore[operator]
    refused = see(viewer, f"{address}?range=%3Cb%3E").text
    assert "range='<b>' is none of 15m, 1h, 6h, 24h, 7d. Shown is 1h." in refused


def test_figures_are_drawn_and_stand_in_the_table(viewer: Client, see: See) -> None:
    now = timezone.now()
    keep_point("pools.waiting", now - timedelta(minutes=20), 41.0)
    keep_point("pools.waiting", now - timedelta(minutes=5), 7.0)
    page = see(viewer, "/pools/?range=1h")
    assert "As a table: 2 steps" in page.text
    assert "7 41 at most" in page.text
    lines = data_of(page)["lines"]
    (line,) = [line for line in lines if line["title"] == "Calls waiting"]  # type: ignore[attr-defined]
    known = [point for point in line["points"] if point is not None]
    assert (known, line["unit"]) == ([41.0, 7.0], "count")
    since = (now - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M:%SZ")
    until = (now - timedelta(minutes=10)).strftime("%Y-%m-%dT%H:%M:%SZ")
    zoomed = see(viewer, f"/pools/?from={since}&to={until}")
    assert "41 41 at most" in zoomed.text
    assert "As a table: 1 step" in zoomed.text


def test_a_database_that_does_not_tell_leaves_the_page(viewer: Client, see: See) -> None:
    with patch.object(looking, "look", side_effect=OperationalError("never shown")):
        page = see(viewer, "/pools/")
    assert "Postgres did not tell within 2 s." in page.text
    assert "never shown" not in page.html
    assert data_of(page)["at"] == []
