import json
from collections.abc import Callable
from unittest.mock import patch

import msgspec
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from monitoring.snapshots import WorkerSnapshot
from validation.models import VERDICTS, Chunk, Run
from validation.validators import Outcome

RUNS = "/api/v1/runs"
FIELDS = ["id", "state", "total", "done", *VERDICTS, "rate", "eta_s"]


def test_a_run_is_the_contracts_object(operator: Client, finished_run: Callable[..., Run]) -> None:
    run = finished_run(3)
    Chunk.objects.create(run=run, first=0, size=3, state="done", valid=2, invalid=1)
    body = operator.get(f"{RUNS}/{run.pk}").json()
    assert list(body) == FIELDS
    assert (body["done"], body["valid"], body["invalid"], body["eta_s"]) == (3, 2, 1, None)


@pytest.mark.parametrize("number", [4_000_000, 2**63, 10**40])
@pytest.mark.parametrize("rest", ["", "/results"])
@pytest.mark.django_db
def test_a_run_that_is_not_there(operator: Client, number: int, rest: str) -> None:
    response = operator.get(f"{RUNS}/{number}{rest}")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_runs_are_paged_by_key_newest_first(
    operator: Client, finished_run: Callable[..., Run]
) -> None:
    made = [finished_run(0).pk for _ in range(5)]
    seen: list[int] = []
    query = "?limit=2"
    while query:
        page = operator.get(f"{RUNS}{query}").json()
        seen += [run["id"] for run in page["runs"]]
        query = f"?limit=2&before={page['next']}" if page["next"] else ""
    assert seen == made[::-1]


def test_runs_are_filtered_by_state(operator: Client, finished_run: Callable[..., Run]) -> None:
    finished_run(0)
    Run.objects.create(state="cancelled", title="x", origin="api")
    page = operator.get(f"{RUNS}?state=cancelled").json()
    assert [run["state"] for run in page["runs"]] == ["cancelled"]


def test_runs_are_found_by_words_and_ids(operator: Client, db: None) -> None:
    made = [Run.objects.create(title=t, origin="api").pk for t in ("a needle", "hay", "needles")]
    found = {
        query: [run["id"] for run in operator.get(f"{RUNS}?q={query}").json()["runs"]]
        for query in ("NEEDLE", "needle a", f"V-{made[1]}", "eedle", "%2B%2B")
    }
    assert found["NEEDLE"] == [made[2], made[0]]
    assert found["needle a"] == [made[0]]
    assert made[1] in found[f"V-{made[1]}"]
    assert found["eedle"] == found["%2B%2B"] == []


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("state=lost", "state: 'lost' is not one of draft, running, done, cancelled."),
        ("limit=0", "limit: '0' is not a whole number from 1."),
        ("limit=201", "limit: '201' is not a whole number up to 200."),
        ("limit=x", "limit: 'x' is not a whole number."),
        ("limit=2.5", "limit: '2.5' is not a whole number."),
        ("limit=", "limit: '' is not a whole number."),
        ("before=0", "before: '0' is not a whole number from 1."),
        (f"before={'9' * 5_000}", f"before: '{'9' * 200}' is not a whole number."),
    ],
)
@pytest.mark.django_db
def test_a_filter_that_is_none_is_named_with_its_value(
    operator: Client, query: str, detail: str
) -> None:
    response = operator.get(f"{RUNS}?{query}")
    error = response.json()["errors"][0]
    assert response.status_code == 422
    assert response.json()["detail"] == detail
    assert [error["field"], error["value"]] == [
        query.split("=", maxsplit=1)[0],
        query.split("=")[1][:200],
    ]


@pytest.mark.parametrize("name", ["-1", "abc", "1.5"])
@pytest.mark.parametrize("rest", ["", "/results", "/cancel"])
@pytest.mark.django_db
def test_what_is_no_number_of_a_run_is_named(operator: Client, name: str, rest: str) -> None:
    response = operator.get(f"{RUNS}/{name}{rest}")
    assert response.status_code == 404
    assert response.json()["detail"] == f"There is no run {name}."


def test_a_list_costs_the_same_however_long(
    operator: Client,
    finished_run: Callable[..., Run],
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    for _ in range(10):
        finished_run(0)
    operator.get(RUNS)
    # The token, its owner's role, the runs, their progress.
    with django_assert_num_queries(4):
        operator.get(RUNS)


def test_results_are_the_objects_of_validate_json(
    operator: Client, finished_run: Callable[..., Run]
) -> None:
    response = operator.get(f"{RUNS}/{finished_run(2).pk}/results")
    lines = b"".join(response).splitlines()
    assert response["Content-Type"] == "application/x-ndjson"
    assert [json.loads(line)["subject"] for line in lines] == ["block:0", "block:1"]
    # Byte for byte what the command line prints: the same keys in the same order.
    for line in lines:
        assert msgspec.json.encode(msgspec.json.decode(line, type=Outcome)) == line


def test_workers_are_listed_with_state_and_age(operator: Client) -> None:
    snapshot = WorkerSnapshot(
        id="host:1", host="host", pid=1, started_at=1.0, busy=True, run=7, items_done=5,
        chunks_done=1, rate=2.5, rss_bytes=1024, age_s=12.0,
    )  # fmt: skip
    with patch("monitoring.snapshots.workers", return_value=[snapshot]):
        (worker,) = operator.get("/api/v1/workers").json()["workers"]
    assert (worker["state"], worker["age_s"], worker["run"]) == ("stale", 12.0, 7)


def test_no_word_of_workers_is_said_not_drawn_as_none(operator: Client) -> None:
    with patch("monitoring.snapshots.workers", return_value=None):
        response = operator.get("/api/v1/workers")
    assert response.status_code == 503
    assert response["Retry-After"]
