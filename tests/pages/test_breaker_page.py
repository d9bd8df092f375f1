"""One breaker: wanted, computed and in force side by side; each worker; its past; its changes."""

import json
import time
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console import controls
from console.access.roles import Role
from console.controls import Actor
from console.pages import topics
from monitoring import valkey
from monitoring.snapshots import Transition
from tests.made_up_fleet import LOOKUP, a_breaker, a_troubled_fleet, a_worker, publish
from tests.pages.conftest import Page

See = Callable[..., Page]
ADDRESS = f"/breakers/{LOOKUP}/"


@pytest.fixture
def actor(people: dict[str, User]) -> Actor:
    return Actor.on_page(people["operator"])


def _part(page: Page, start: str, end: str) -> str:
    return page.text.partition(start)[2].partition(end)[0]


def test_the_three_truths_stand_side_by_side(viewer: Client, see: See, actor: Actor) -> None:
    order = controls.override_breaker(
        actor, LOOKUP, "forced_open", reason="the node lies about blocks", confirm=LOOKUP
    )
    forced = a_breaker(state="forced_open", computed="closed", forced_for_s=890.0, retry_in_s=890.0)
    publish(
        a_worker(1, breakers=(forced,), acknowledged=order.revision),
        a_worker(2, breakers=(forced,), acknowledged=order.revision),
        a_worker(3, acknowledged=order.revision - 1),
    )
    page = see(viewer, ADDRESS)
    wanted = _part(page, "Wanted", "Computed")
    for said in ("Forced open · blocking", "Ends in", "the node lies about blocks", "the-operator"):
        assert said in wanted, said
    computed = _part(page, "Computed", "In force")
    assert "Closed · passing 3 workers" in computed
    assert "Next probe" not in computed  # what is forced waits for its end, not for a probe
    in_force = _part(page, "In force", "Failing")
    assert "Forced open · blocking on 2 of 3 workers" in in_force
    assert "Closed · passing on 1 of 3 workers" in in_force
    assert "2 of 3 acknowledge; waiting for 4703@rack-4" in in_force


def test_all_obey(viewer: Client, see: See, actor: Actor) -> None:
    order = controls.override_breaker(actor, LOOKUP, "metrics_only", reason="watching it for now")
    publish(a_worker(1, acknowledged=order.revision))
    assert "Acknowledged by 1 of 1" in see(viewer, ADDRESS).text


def test_each_worker_speaks_for_itself_with_its_age(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(4))
    valkey.client().pexpire("switchyard:worker:rack-4:4701", 588_000)
    page = see(viewer, ADDRESS)
    rows = _part(page, "In each worker", "Thresholds")
    assert rows.index("4702@rack-4") < rows.index("4704@rack-4") < rows.index("4701@rack-4")
    assert "· stale" in rows
    assert "4 of 4 workers have it" in rows


def test_rates_are_of_the_fleet_and_the_worst_worker_is_named(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(2))
    figures = _part(see(viewer, ADDRESS), "In force", "Transitions")
    assert "Failing 60.8 % of 240 calls worst worker 61.0 %" in figures
    assert "Calls a minute 480" in figures
    assert "340 ms / 1.24 s" in figures


def test_too_few_calls_are_not_drawn_as_zero(viewer: Client, see: See) -> None:
    idle = a_breaker(
        calls=0, failures=0, failure_rate=None, slow_rate=None, p50_ms=None, p95_ms=None
    )
    publish(a_worker(breakers=(idle,)))
    figures = _part(see(viewer, ADDRESS), "In force", "Transitions")
    assert "Failing no data no call in the window" in figures
    assert "Latency p50 / p95 no data" in figures


def test_transitions_are_drawn_and_told(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(1))
    page = see(viewer, ADDRESS)
    (ribbon,) = [a for a in page.all("svg") if a.get("class") == "ribbon"]
    assert str(ribbon["aria-label"]).startswith("4701@rack-4: Open since")
    assert "changed 4 times" in str(ribbon["aria-label"])
    assert "61 % of 120 failed" in page.text
    assert "4 transitions as a table" in page.text


def test_the_range_is_in_the_address(viewer: Client, see: See) -> None:
    long_ago = Transition(at=time.time() - 2_000, before="open", after="closed", cause="was well")
    publish(a_worker(breakers=(a_breaker(transitions=(long_ago,)),)))
    assert "was well" not in see(viewer, ADDRESS).text
    assert "was well" in see(viewer, f"{ADDRESS}?range=1h").text
    assert "0 transitions as a table" in see(viewer, f"{ADDRESS}?range=nonsense").text


def test_thresholds_that_differ_are_counted(viewer: Client, see: See, actor: Actor) -> None:
    controls.tune_breaker(actor, LOOKUP, {"failure_rate": 0.2}, reason="it is failing too late")
    tuned = a_breaker(settings=a_breaker().settings | {"failure_rate": 0.2})
    publish(a_worker(1, breakers=(tuned,)), a_worker(2), a_worker(3))
    part = _part(see(viewer, ADDRESS), "Thresholds in force", "Changes by operators")
    assert "0.5 on 2 , 0.2 on 1" in part
    assert "tuned to 0.2" in part


def test_changes_tell_who_and_why_newest_first(viewer: Client, see: See, actor: Actor) -> None:
    controls.override_breaker(actor, LOOKUP, "forced_closed", reason="a false alarm, I think")
    controls.release_breaker(actor, LOOKUP, reason="it was a real one")
    changes = _part(see(viewer, ADDRESS), "Changes by operators newest first", "Keyboard")
    assert changes.index("it was a real one") < changes.index("a false alarm, I think")
    assert "auto → forced closed until" in changes


def test_a_configured_breaker_has_a_page_before_anybody_made_it(viewer: Client, see: See) -> None:
    page = see(viewer, "/breakers/l2/")
    assert "no data" in page.text
    assert "No worker reports" in page.text


@pytest.mark.parametrize("name", ["nothing", "node:10.0.0.1:1:lookup"])
def test_a_breaker_that_nobody_knows_is_no_page(viewer: Client, see: See, name: str) -> None:
    see(viewer, f"/breakers/{name}/", status=404)


def test_valkey_away_leaves_what_is_wanted(viewer: Client, see: See, actor: Actor) -> None:
    controls.override_breaker(actor, LOOKUP, "forced_closed", reason="so that something passes")
    with patch("monitoring.snapshots.workers", return_value=None):
        page = see(viewer, ADDRESS)
    assert "Forced closed · passing all" in _part(page, "Wanted", "Computed")
    assert "Nobody to acknowledge it" in page.text
    assert "Valkey unreachable" in _part(page, "Computed", "Failing")


def test_valkey_away_what_only_workers_know_of_may_be_there(viewer: Client, see: See) -> None:
    with patch("monitoring.snapshots.workers", return_value=None):
        page = see(viewer, "/breakers/node:10.0.0.1:1:lookup/")
        assert viewer.get(f"/breakers/{'a' * 161}/").status_code == 404
        assert viewer.get("/breakers/%00/").status_code == 404
    assert "Valkey unreachable" in _part(page, "Computed", "Failing")


@pytest.mark.parametrize("form", ["json", "csv"])
def test_the_table_as_a_file(viewer: Client, form: str) -> None:
    publish(*a_troubled_fleet(3))
    response = viewer.get(f"{ADDRESS}?format={form}")
    body = b"".join(response).decode()
    if form == "json":
        rows = json.loads(body)
        assert [row["state"] for row in rows] == ["open", "open", "half_open"]
    assert body.count("rack-4:") == 3


def test_the_stream_shows_the_same_without_acts_to_a_viewer(people: dict[str, User]) -> None:
    publish(*a_troubled_fleet(2))
    shown = {role: topics.render_breaker(LOOKUP, role) for role in (Role.VIEWER, Role.OPERATOR)}
    assert "on <b>2 of 2</b>" in shown[Role.VIEWER]["breaker-standing"]
    assert "/open/" in shown[Role.OPERATOR]["breaker-actions"]
    assert "/open/" not in shown[Role.VIEWER]["breaker-actions"]
    assert topics.render_breaker("nobody-knows", Role.ADMIN) == {}
