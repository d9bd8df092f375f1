"""Caches: who answered, what another size would answer, and what operators purge and resize."""

import json
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.controls import desired
from monitoring.snapshots import CacheReport
from tests.made_up_fleet import a_cache, a_worker, publish
from tests.pages.conftest import Page
from validation.models import Control, ControlKind

See = Callable[..., Page]
REASON = "a node gave us a wrong block"


def test_hit_rates_by_kind_and_level(viewer: Client, see: See) -> None:
    publish(a_worker(1), a_worker(2))
    text = see(viewer, "/caches/").text
    for said in (
        "81.0 % of 261 380 look-ups",
        "tx 80.6 % 61.2 % 18.4 % 0.1 % 0.9 % 200 000",
        "address 50.8 % 35.3 % 9.2 % 6.3 % 0 % 13 020",
        "18 824 of 20 000",
        "2 of 2 processes",
        "3.72 : 1",
        "L2 written as zstd 36 000",
    ):
        assert said in text, said


def test_ten_times_the_size_is_told_before_it_is_tried(viewer: Client, see: See) -> None:
    publish(a_worker(1), a_worker(2))
    page = see(viewer, "/caches/")
    said = (
        "With 10 000 entries in each process L1 would answer 71.0 % of look-ups, with 100 000 86.0"
    )
    assert said in page.text
    (chart,) = [a for a in page.all("svg") if a.get("class") == "chart"]
    assert str(chart["aria-label"]).replace("\u202f", " ").startswith(said)
    assert "As a table, 8 sizes" in page.text
    assert "30 000 79.0 %" in page.text


def test_a_cache_that_its_bytes_bound_is_as_large_as_they_let_it(viewer: Client, see: See) -> None:
    publish(a_worker(cache=a_cache(entries=3_000, bytes=63_000_000)))
    assert "With 3 000 entries in each process" in see(viewer, "/caches/").text


def test_without_samples_nothing_is_drawn(viewer: Client, see: See) -> None:
    publish(a_worker(cache=a_cache(curve=(), sampled=0)))
    page = see(viewer, "/caches/")
    assert "Too little was looked up to draw it" in page.text
    assert not [a for a in page.all("svg") if a.get("class") == "chart"]


_FRESH = CacheReport(policy="s3fifo", entries=0, bytes=0, max_entries=100, max_bytes=1_000)


@pytest.mark.parametrize(
    ("cache", "said"),
    [(None, "Nothing was looked up yet"), (_FRESH, "Nothing was looked up yet")],
)
def test_no_look_up_is_no_rate(
    viewer: Client, see: See, cache: CacheReport | None, said: str
) -> None:
    publish(a_worker(cache=cache))
    page = see(viewer, "/caches/")
    assert said in page.text
    assert "Answered by the cache no data" in page.text


def test_nobody_reports(viewer: Client, see: See) -> None:
    assert "No worker reports" in see(viewer, "/caches/").text
    with patch("monitoring.snapshots.workers", return_value=None):
        assert "Valkey unreachable" in see(viewer, "/caches/").text
        assert viewer.get("/caches/?format=csv").status_code == 503


def test_the_table_as_a_file(viewer: Client) -> None:
    publish(a_worker(1))
    (row,) = json.loads(b"".join(viewer.get("/caches/?format=json")))
    assert (row["worker"], row["l1"], row["miss"]) == ("rack-4:4701", 81_400, 24_890)
    assert b"s3fifo" in b"".join(viewer.get("/caches/?format=csv"))


def test_purge_asks_for_the_tag_twice_and_a_reason(operator: Client, see: See) -> None:
    publish(a_worker(1), a_worker(2))
    assert "Purge on 2 workers" in see(operator, "/caches/purge/").text
    given = {"tag": "head", "reason": REASON, "confirm": "block"}
    response = operator.post("/caches/purge/", given)
    assert response.status_code == 422
    assert "is not head, " in Page(response.content.decode()).text
    done = operator.post("/caches/purge/", given | {"confirm": "head"}, follow=True)
    page = Page(done.content.decode())
    assert "What carries head is dropped" in page.text
    assert "purged head" in page.text
    assert Control.objects.get(kind=ControlKind.PURGE).name == "head"


def test_a_tag_that_is_none_is_refused(operator: Client) -> None:
    given = {"tag": "no tag!", "reason": REASON, "confirm": "no tag!"}
    response = operator.post("/caches/purge/", given)
    assert response.status_code == 422
    assert "'no tag!' is not one of all, latest" in Page(response.content.decode()).text
    assert not AuditEntry.objects.exists()


def test_resize_shows_what_is_and_can_be_taken_back(operator: Client, see: See) -> None:
    publish(a_worker(1))
    page = see(operator, "/caches/resize/")
    assert "max_entries 10 000 → now, becomes" in page.text
    given = {"max_entries": "100000", "reason": REASON, "for_s": "3600", "revision": "0"}
    done = operator.post("/caches/resize/", given, follow=True)
    shown = Page(done.content.decode())
    assert "L1 auto → max_entries 100000 until" in shown.text
    assert "resized by the-operator" in shown.text
    assert desired(ControlKind.L1, "").settings == {"max_entries": 100_000}
    entry = AuditEntry.objects.get()
    operator.post(f"/audit/{entry.pk}/revert/", {"reason": "it did not help at all"})
    assert desired(ControlKind.L1, "").settings == {}


def test_a_size_out_of_bounds_is_refused(operator: Client) -> None:
    given = {"max_entries": "3", "reason": REASON, "for_s": "3600", "revision": "0"}
    response = operator.post("/caches/resize/", given)
    assert response.status_code == 422
    assert "from 16 to" in Page(response.content.decode()).text


@pytest.mark.parametrize("address", ["/caches/purge/", "/caches/resize/"])
def test_a_viewer_may_not(viewer: Client, address: str) -> None:
    assert viewer.get(address).status_code == 403
    assert viewer.post(address, {}).status_code == 403


def test_sizes_that_differ_are_told_apart_and_never_averaged(viewer: Client, see: See) -> None:
    publish(a_worker(1), a_worker(2, cache=a_cache(max_entries=30_000)))
    text = see(viewer, "/caches/").text
    assert "20 000" not in text.partition("Predicted")[2].partition("As a table")[0]
    assert (
        "With 10 000 entries, the least that one has now, L1 would answer 71.0 % of look-ups, with "
        "30 000, the most, 79.0 %, and with 300 000 90.0 %." in text
    )


def test_who_never_asked_l2_is_not_among_those_that_do_not_reach_it(
    viewer: Client, see: See
) -> None:
    publish(a_worker(1), a_worker(2, cache=a_cache(l2_reachable=None)))
    assert "L2 reachable 1 of 1 process, 1 not asked" in see(viewer, "/caches/").text
