"""The tables of pages as files: `?format=csv|json`."""

import csv
import json
from collections.abc import Callable
from unittest.mock import patch

import pytest
from django.test import Client

from console.pages import runs
from tests.pages.conftest import Page
from validation.models import Run, RunState

See = Callable[..., Page]


def fetch(client: Client, address: str) -> list[dict[str, object]]:
    response = client.get(address)
    assert response.status_code == 200
    assert response.streaming
    body = b"".join(response).decode()
    form = address.rpartition("format=")[2].partition("&")[0]
    assert f".{form}" in response["Content-Disposition"]
    return json.loads(body) if form == "json" else list(csv.DictReader(body.splitlines()))


@pytest.mark.parametrize("form", ["csv", "json"])
@pytest.mark.parametrize("number", [0, 1, 2, 3, 5])
def test_every_validation_comes_once_in_the_order_asked_for(
    viewer: Client, made_run: Callable[..., Run], form: str, number: int
) -> None:
    made = [made_run(1).pk for _ in range(number)]
    with patch.object(runs, "EXPORT_PAGE", 2):
        for sort, wanted in (("newest", made[::-1]), ("oldest", made), ("largest", made[::-1])):
            rows = fetch(viewer, f"/validations/?sort={sort}&format={form}")
            assert [int(str(row["id"])) for row in rows] == wanted


def test_a_filter_holds_for_the_file_too_and_its_counts_are_the_pages(
    viewer: Client, see: See, made_run: Callable[..., Run]
) -> None:
    made_run(3)
    wanted = made_run(9, state=RunState.CANCELLED, title="=1+1", mix={"valid": ("ok", 4)})
    links = see(viewer, "/validations/?state=cancelled").hrefs()
    assert {"?state=cancelled&format=csv", "?state=cancelled&format=json"} <= links
    (row,) = fetch(viewer, "/validations/?state=cancelled&format=json")
    assert list(row) == list(runs.COLUMNS)
    assert (row["id"], row["total"], row["done"], row["valid"]) == (wanted.pk, 9, 4, 4)
    assert (row["created_by"], row["title"]) == ("the-operator", "=1+1")
    (line,) = fetch(viewer, "/validations/?state=cancelled&format=csv")
    assert line["title"] == "'=1+1"  # a spreadsheet does not calculate it


@pytest.mark.parametrize("form", ["csv", "json"])
def test_workers_as_a_file(
    viewer: Client, see: See, worker_reports: Callable[..., None], form: str
) -> None:
    assert fetch(viewer, f"/workers/?format={form}") == []
    worker_reports(pid=7, id="rack-4:7")
    assert f"/workers/?format={form}" in see(viewer, "/workers/").hrefs()
    (row,) = fetch(viewer, f"/workers/?format={form}")
    assert (row["id"], row["state"], str(row["in_flight"])) == ("rack-4:7", "up", "7")


def test_nobody_to_ask_is_no_empty_table(viewer: Client) -> None:
    with patch("monitoring.snapshots.workers", return_value=None):
        response = viewer.get("/workers/?format=csv")
    assert response.status_code == 503
    assert response["Retry-After"]


@pytest.mark.parametrize("address", ["/validations/", "/workers/"])
def test_another_format_is_the_page(see: See, viewer: Client, address: str) -> None:
    assert see(viewer, f"{address}?format=xml").all("main")
