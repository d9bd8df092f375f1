"""The overview: what is measured, what is not, and the three kinds of nothing."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from console import capacity, controls, fleetview
from console.controls import Actor
from console.fleetview import DatabasePool, DatabasePools
from console.pages import overview, pool_lines, throughput
from monitoring import snapshots
from monitoring.history import reading
from tests import made_up_alerts, made_up_database, made_up_fleet
from tests.pages.conftest import Page, keep_point
from tests.pages.test_pgbouncer_pools import SAMPLE, publish
from validation.models import Chunk, Run, RunState

See = Callable[..., Page]
# A busy machine is slow.
AGO = r"(?:now|\d+ s ago)"


def test_a_fresh_console_says_what_there_is_not(operator: Client, see: See) -> None:
    page = see(operator, "/")
    assert "No validation yet" in page.text
    assert "No worker reports" in page.text
    assert "/validations/new/" in page.hrefs()
    # Four figures of six, the pools, the sum against max_connections; counts of nothing are zero.
    # Eight lines, and what their gaps mean.
    assert page.text.count("no data") == 4 + 2 + 8 + 1
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
    assert "81.0 % target 85 % 261 380 look-ups" in page.text
    assert re.search(f"2 workers, {AGO}", page.text)


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
    # The queue and the hit rate, in their figures and over time: what has no figures yet has no
    # line.
    assert page.html.count("<path") == before + 4


def test_each_figure_has_its_target_source_and_age(operator: Client, see: See) -> None:
    made_up_fleet.publish(*made_up_fleet.a_troubled_fleet(6))
    made_up_database.publish_all()
    keep_point("http.all", timezone.now() - timedelta(minutes=3), 100.0, counter=True)
    keep_point("http.quick", timezone.now() - timedelta(minutes=3), 60.0, counter=True)
    keep_point("http.all", timezone.now() - timedelta(minutes=2), 200.0, counter=True)
    keep_point("http.quick", timezone.now() - timedelta(minutes=2), 135.0, counter=True)
    said = figures_of(see(operator, "/"))
    assert "Answers within 100 ms 75.0 % target 95 %" in said
    assert re.search(r"console, by the minute, [12] min ago", said)
    assert "target 0 of 24" not in said
    assert re.search(f"Open breakers 1 target 0 of 3 6 workers, {AGO}", said)
    assert "limit 80 %" in said
    assert "Postgres, " in said
    assert "Queue 0 oldest below 1 min" in said


def figures_of(page: Page) -> str:
    """The text of the six, without what comes after them."""
    return page.text.partition("Circuit breakers")[0]


def test_nothing_is_made_up_where_valkey_is_away(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshots, "workers", lambda: None)
    said = figures_of(see(operator, "/"))
    assert said.count("Valkey unreachable") == 3
    assert said.count("no data") == 4


def test_all_pools_are_told_in_one_vocabulary(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up_fleet.publish(made_up_fleet.a_worker(1), made_up_fleet.a_worker(2))
    publish(SAMPLE)
    row = DatabasePool(
        pool="db.replica_1", process="web", used=3, idle=2, max=8, waiting=1, lent=9,
        wait_mean_ms=None, age_s=0.2,
    )  # fmt: skip
    primary = replace(row, pool="db.primary", used=5, max=16, waiting=0)
    found = [DatabasePools(pool=one.pool, rows=(one, one)) for one in (primary, row)]
    monkeypatch.setattr(fleetview, "database_pools", lambda _told=None: tuple(found))
    monkeypatch.setattr(overview, "POOLS_SHOWN", 50)
    text = see(operator, "/").text
    text = text[text.index("Pools used / max") : text.index("Running validations")]
    assert re.search(f"switchyard PgBouncer, 7 waiting , {AGO} 20 / 20", text)
    assert re.search(f"db.replica_1 replica, 2 waiting , {AGO} 6 / 16", text)
    assert re.search(f"db.primary Postgres, {AGO} 10 / 32", text)
    assert re.search(f"sockets, {AGO}", text)
    assert text.index("7 waiting") < text.index("2 waiting") < text.index("db.primary")
    assert "Connections within max_connections, if all were used at once: no data" in text


def test_pools_where_somebody_waits_come_first() -> None:
    def sockets(name: str, used: int, waiting: int) -> Any:
        values = {"pool": name, "used": used, "idle": 0, "max": 10, "waiting": waiting, "age_s": 1}
        return SimpleNamespace(**values)

    seen: Any = SimpleNamespace(pools=None, pgbouncer=SimpleNamespace(sample=None, age_s=None))
    found = [sockets("full", 10, 0), sockets("idle", 0, 0), sockets("waits", 1, 3)]
    assert [one.name for one in pool_lines.of(seen, found)] == ["waits", "full", "idle"]


def test_broken_limits_are_told_with_what_to_set(
    operator: Client, see: See, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = see(operator, "/")
    [panel] = [a for tag, a in page.tags if a.get("id") == "overview-capacity"]
    assert "hidden" in panel
    broken = capacity.limit.limit(
        "x.files", "Files of x", uses=20, allows=10, unit="files", explains="", fix="Limit=20",
        told=capacity.limit.Told(source="x"),
    )  # fmt: skip
    monkeypatch.setattr(capacity, "limits", lambda **_: (broken,))
    page = see(operator, "/")
    [panel] = [a for tag, a in page.tags if a.get("id") == "overview-capacity"]
    assert "hidden" not in panel
    assert "Files of x 20 of 10 files Limit=20" in page.text


def test_what_fires_comes_before_all_else(operator: Client, see: See) -> None:
    made_up_alerts.raise_some()
    text = see(operator, "/").text
    assert text.index("node.down") < text.index("Open breakers") < text.index("Circuit breakers")


def test_where_nobody_looks_for_alerts_calm_is_not_claimed(operator: Client, see: See) -> None:
    made_up_alerts.somebody_looked()
    assert "Firing now no alert" in see(operator, "/").text
    made_up_alerts.somebody_looked(ago_s=60)
    text = see(operator, "/").text
    assert "Firing now not known" in text
    assert "No data: nobody has looked for alerts since 20" in text
    made_up_alerts.somebody_looked(ago_s=None)
    assert (
        "nobody has looked for alerts yet. What fires now is not known." in see(operator, "/").text
    )


def test_the_hour_of_lines_and_charts_is_read_in_one_question(operator: Client) -> None:
    def reads(address: str) -> int:
        with (
            patch("console.pages.trends.reading.read", wraps=reading.read) as one,
            patch("monitoring.history.looking.reading.read", one),
        ):
            assert operator.get(address).status_code == 200
        return one.call_count

    assert reads("/") == 1
    assert reads("/?range=6h") == 2
