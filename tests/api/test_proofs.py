"""The proof of an item by API: kept or made now, for whom, and when not."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from django.test import Client

from console import afresh
from tests.evidence.worlds import made, subjects
from validation import evidence
from validation.models import Evidence, Item, Run


@pytest.fixture(scope="module")
def packed() -> bytes:
    return asyncio.run(made(subjects()["tx"], 2))[1]


@pytest.fixture
def run(finished_run: Callable[..., Run], packed: bytes) -> Run:
    """Of its first item a proof is kept."""
    run = finished_run(2)
    for ordinal in range(2):
        Item.objects.create(run_id=run.pk, ordinal=ordinal, subject=f"block:{ordinal}")
    Evidence.objects.create(run_id=run.pk, ordinal=0, bundle=packed)
    return run


def _url(run: Run, ordinal: int = 0) -> str:
    return f"/api/v1/runs/{run.pk}/items/{ordinal}/proof"


def test_a_kept_proof(programs: dict[str, Client], run: Run) -> None:
    answer = programs["viewer"].get(_url(run))
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/json"
    assert f"V-{run.pk}-0.proof.json" in answer["Content-Disposition"]
    assert evidence.verify(answer.content).same


def test_to_make_one_needs_an_operator(programs: dict[str, Client], run: Run) -> None:
    for url in (_url(run, 1), f"{_url(run)}?now=true"):
        answer = programs["viewer"].get(url)
        assert answer.status_code == 403
        assert "needs the role operator" in answer.json()["detail"]
    assert programs["anonymous"].get(_url(run)).status_code == 401


@pytest.mark.parametrize("ordinal", [2, 7, 2**40])
def test_an_item_that_there_is_not(programs: dict[str, Client], run: Run, ordinal: int) -> None:
    answer = programs["operator"].get(_url(run, ordinal))
    assert answer.status_code == 404
    assert answer.json()["detail"] == f"V-{run.pk} has no item {ordinal}."
    missing = programs["operator"].get(f"/api/v1/runs/{run.pk + 1}/items/0/proof")
    assert missing.status_code == 404


def test_a_head_asks_no_node(
    programs: dict[str, Client], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afresh, "examine", lambda *_, **__: pytest.fail("a node was asked"))
    assert programs["operator"].head(_url(run)).status_code == 200
    for url in (_url(run, 1), f"{_url(run)}?now=true"):
        assert programs["operator"].head(url).status_code == 409
    assert programs["viewer"].head(_url(run, 1)).status_code == 403


def test_no_node_says_so(programs: dict[str, Client], run: Run) -> None:
    Run.objects.filter(pk=run.pk).update(node_urls=["http://127.0.0.1:9"])
    answer = programs["operator"].get(_url(run, 1))
    assert answer.status_code == 503
    assert answer.json()["detail"].startswith("There is no proof of an error: 127.0.0.1:9")


def test_a_busy_console_asks_to_come_back(
    programs: dict[str, Client], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(afresh, "_turns", threading.BoundedSemaphore(1))
    with afresh._turn():
        answer = programs["operator"].get(_url(run, 1))
    assert answer.status_code == 503
    assert answer["Retry-After"] == "5"
