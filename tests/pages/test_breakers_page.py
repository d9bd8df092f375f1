"""The list of breakers: worst first, counted by worker, filtered by its address, three nothings."""

import json
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console import controls
from console.access.models import AuditEntry
from console.controls import Actor
from monitoring import valkey
from tests import made_up_fleet
from tests.made_up_fleet import (
    BLOCK,
    LOOKUP,
    a_breaker,
    a_troubled_fleet,
    a_worker,
    an_open_breaker,
    publish,
)
from tests.pages.conftest import Page

See = Callable[..., Page]


def test_the_worst_comes_first_and_says_on_how_many(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(6))
    page = see(viewer, "/breakers/")
    rows = page.text.partition("Wanted")[2]
    assert rows.index(":lookup") < rows.index("l2")
    for said in (
        "Open · blocking",
        "2 of 6",
        "15.7 %",
        "1.24 s",
        "probe in 18 s",
        "Closed · passing",
        "6 of 6",
        "1 of 3 breakers",
    ):
        assert said in page.text, said


def test_a_worker_that_fell_silent_is_not_counted(viewer: Client, see: See) -> None:
    publish(*a_troubled_fleet(3))
    for pid in (4_701, 4_702):
        valkey.client().pexpire(f"switchyard:worker:rack-4:{pid}", 580_000)
    page = see(viewer, "/breakers/")
    assert f"Half-open · probing {LOOKUP.replace(':lookup', ' :lookup')} 1 of 3" in page.text
    assert "Open · blocking" not in page.text


def test_a_wish_is_shown_with_who_obeys_it(
    viewer: Client, see: See, people: dict[str, User]
) -> None:
    order = controls.override_breaker(
        Actor.on_page(people["operator"]),
        LOOKUP,
        "forced_open",
        reason="the node gives wrong answers",
        confirm=LOOKUP,
    )
    publish(a_worker(1, acknowledged=order.revision), a_worker(2, acknowledged=None))
    page = see(viewer, "/breakers/?state=forced")
    assert "Forced open 1 of 2" in page.text
    assert "ends in 15 min" in page.text
    assert "Showing 1 of" in page.text
    assert "1 of 1, by 2 workers" in page.text


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ("state=open", {LOOKUP}),
        ("state=half_open", {LOOKUP}),
        ("state=closed", {LOOKUP, BLOCK, "l2"}),
        ("q=BLOCK&state=closed", {BLOCK}),
        ("state=nonsense&sort=nonsense&q=l2", {"l2"}),
    ],
)
def test_the_address_filters(viewer: Client, see: See, query: str, shown: set[str]) -> None:
    publish(*a_troubled_fleet(4))
    page = see(viewer, f"/breakers/?{query}")
    names = {a["title"] for a in page.all("a") if "cut" in str(a.get("class"))}
    assert names == shown


def test_the_address_sorts(viewer: Client) -> None:
    slow = a_breaker("l2", p95_ms=9_000.0, failure_rate=0.9, failures=225)
    publish(a_worker(1, breakers=(slow, a_breaker(LOOKUP), a_breaker(BLOCK, p95_ms=60.0))))

    def names(sort: str) -> list[str]:
        body = b"".join(viewer.get(f"/breakers/?state=closed&sort={sort}&format=json"))
        return [row["name"] for row in json.loads(body)]

    assert names("name") == ["l2", BLOCK, LOOKUP]
    assert names("p95") == ["l2", BLOCK, LOOKUP]
    assert names("failures")[0] == "l2"


def test_a_filtered_list_asks_for_itself_and_a_whole_one_is_pushed(
    viewer: Client, see: See
) -> None:
    publish(a_worker())
    assert "breakers-list" in see(viewer, "/breakers/").ids()
    narrowed = see(viewer, "/breakers/?q=l2")
    (found,) = [a for a in narrowed.all("section") if a.get("id") == "breakers-found"]
    assert found["hx-get"] == "/breakers/?q=l2"
    part = see(viewer, "/breakers/?q=l2", **{"HX-Request": "true"})
    assert part.tags[0][1]["id"] == "breakers-found"


def test_none_match(viewer: Client, see: See) -> None:
    publish(a_worker())
    page = see(viewer, "/breakers/?q=no-such-name")
    assert "None match" in page.text
    assert "/breakers/" in page.hrefs()


def test_none_yet(viewer: Client, see: See) -> None:
    publish(a_worker(breakers=()))
    assert "No breaker yet" in see(viewer, "/breakers/").text


def test_no_worker_reports(viewer: Client, see: See) -> None:
    page = see(viewer, "/breakers/")
    assert "No worker reports" in page.text
    assert "no data" in page.text
    assert "Look again" in page.text


def test_valkey_away_is_said_and_what_is_wanted_still_stands(
    viewer: Client, see: See, people: dict[str, User]
) -> None:
    actor = Actor.on_page(people["operator"])
    controls.override_breaker(actor, "l2", "disabled", reason="the cache server is replaced")
    with patch("monitoring.snapshots.workers", return_value=None):
        page = see(viewer, "/breakers/")
        assert "Valkey unreachable" in page.text
        assert "Disabled no data" in page.text
        response = viewer.get("/breakers/?format=csv")
    assert (response.status_code, response["Retry-After"]) == (503, "2")


def test_acts_are_offered_to_those_who_may(viewer: Client, operator: Client, see: See) -> None:
    made_up_fleet.publish(a_worker())
    assert "/breakers/l2/open/" in see(operator, "/breakers/").hrefs()
    assert not [href for href in see(viewer, "/breakers/").hrefs() if href.endswith("/open/")]


@pytest.mark.parametrize(
    "name", ["", "node:a b:1:lookup", "node:[fe80::1%eth0]:1:lookup", f"node:{'x' * 160}:1:block"]
)
def test_a_name_that_no_address_can_hold_is_shown_without_a_link(
    operator: Client, see: See, name: str
) -> None:
    AuditEntry.objects.create(
        kind="breaker", target=name[:160], action="reset", reason="it was stuck"
    )
    publish(a_worker(breakers=(an_open_breaker(name), a_breaker("l2"))))
    page = see(operator, "/breakers/")
    assert f"{name}: a name that no address can hold" in {a.get("title") for a in page.all("span")}
    assert "/breakers/l2/" in page.hrefs()
    assert "a name that no address can hold" in see(operator, "/").html


def test_too_few_calls_are_counts_and_no_rate(viewer: Client, see: See) -> None:
    publish(a_worker(breakers=(a_breaker(failure_rate=None, slow_rate=None, calls=1, failures=1),)))
    assert "no data 1 of 1 call failed" in see(viewer, f"/breakers/{LOOKUP}/").text
    assert "– 1 of 1" in see(viewer, "/breakers/").text


def test_who_fell_silent_leaves_no_zero_behind(viewer: Client) -> None:
    publish(a_worker(breakers=(a_breaker(),)))
    valkey.client().pexpire("switchyard:worker:rack-4:4701", 580_000)
    rows = json.loads(b"".join(viewer.get("/breakers/?format=json")))
    for row in rows:
        told = [row[name] for name in ("calls", "failures", "rejected", "trips", "on_workers")]
        assert told == [None] * 5
