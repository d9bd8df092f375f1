"""The overview: what is measured, what is not, and the three kinds of nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from console import controls
from console.controls import Actor
from console.pages import throughput
from monitoring import snapshots
from tests import made_up_fleet
from tests.pages.conftest import Page, keep_point
from validation.models import Chunk, Run, RunState

See = Callable[..., Page]


def test_a_fresh_console_says_what_there_is_not(operator: Client, see: See) -> None:
    page = see(operator, "/")
    assert "No validation yet" in page.text
    assert "No worker reports" in page.text
    assert "/validations/new/" in page.hrefs()
    # What nobody reports, and the share of nothing; counts of nothing are zero.
    assert page.text.count("no data") == 4
    assert "No operator changed anything yet" in page.text


def test_figures_come_from_closed_chunks(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    made_run(1_500, mix={"valid": ("ok", 1_200), "not_found": ("not_found", 300)})
    page = see(operator, "/")
    assert "1 500 /min" in page.text
    assert "20.0 %" in page.text
    assert "Done · 300 not valid" in page.text


def test_what_is_older_than_an_hour_does_not_count(made_run: Callable[..., Run]) -> None:
    run = made_run(10, mix={"valid": ("ok", 10)})
    long_ago = timezone.now() - timedelta(minutes=61)
    Chunk.objects.filter(run=run).update(closed_at=long_ago)
    assert throughput.last_hour().done == 0


def test_minutes_are_in_order_of_time(made_run: Callable[..., Run]) -> None:
    run = made_run(10, mix={"valid": ("ok", 10)})
    Chunk.objects.filter(run=run).update(closed_at=timezone.now() - timedelta(minutes=5, seconds=9))
    hour = throughput.last_hour()
    assert hour.by_minute[-6] == 10
    assert (sum(hour.by_minute), hour.last_minute) == (10, 0)


def test_the_queue_counts_what_waits(made_run: Callable[..., Run]) -> None:
    older = made_run(10, state=RunState.RUNNING)
    made_run(30, state=RunState.RUNNING)
    queue = throughput.queue()
    assert (queue.ready, queue.ready_items, queue.leased) == (2, 40, 0)
    assert queue.waiting_run == older.pk


def test_running_validations_show_how_far(
    operator: Client, see: See, made_run: Callable[..., Run]
) -> None:
    run = made_run(10, state=RunState.RUNNING, mix={"valid": ("ok", 4)})
    page = see(operator, "/")
    assert "4 / 10" in page.text
    assert {"aria-label": "40 percent done"}.items() <= next(
        a for a in page.all("svg") if "done" in str(a.get("aria-label"))
    ).items()
    assert f"/validations/{run.pk}/" in page.hrefs()


def test_valkey_being_away_is_said_and_nothing_is_counted(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "workers", lambda: None)
    for address in ("/", "/workers/"):
        page = see(operator, address)
        assert "No worker reports: Valkey unreachable" in page.text
        assert "0 / 0" not in page.text


def test_breakers_come_worst_first_with_where_and_what_next(operator: Client, see: See) -> None:
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(6))
    page = see(operator, "/")
    assert (
        "Open · blocking node:127.0.0.1:9 :lookup 2 of 6 15.7 % 1.24 s probe in 18 s" in page.text
    )
    assert page.text.index("Open · blocking") < page.text.index("Closed · passing")
    assert f"/breakers/{made_up_fleet.LOOKUP}/" in page.hrefs()


def test_pools_and_the_cache_are_sums_of_the_fleet(operator: Client, see: See) -> None:
    made_up_fleet.publish(made_up_fleet.a_worker(1), made_up_fleet.a_worker(2))
    page = see(operator, "/")
    assert "82 / 128" in page.text
    assert "81.0 % 261 380 look-ups" in page.text


def test_recent_changes_name_who_and_what(
    operator: Client, viewer: Client, see: See, people: dict[str, User]
) -> None:
    actor = Actor.on_page(people["admin"])
    controls.override_breaker(actor, "l2", "forced_closed", reason="the server is being moved")
    page = see(operator, "/")
    assert "the-admin l2 auto → forced closed until" in page.text
    assert "“the server is being moved”" in page.text
    assert "Revert…" in page.text
    assert "Revert…" not in see(viewer, "/").text


def test_lines_of_the_last_hour_stand_under_what_they_are_of(operator: Client, see: See) -> None:
    now = timezone.now()
    before = see(operator, "/").html.count("<path")
    for n in range(1, 40):
        for name, counter, value in (
            ("chunks.ready", False, float(n)),
            ("cache.hits", True, 1_000.0 - n),
            ("cache.lookups", True, 2_000.0 - 2 * n),
        ):
            keep_point(name, now - timedelta(minutes=n), value, counter=counter)
    page = see(operator, "/")
    # The queue and the hit rate: what has no figures yet has no line.
    assert page.html.count("<path") == before + 2
