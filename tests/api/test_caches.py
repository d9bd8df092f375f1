"""Pools and caches by the API: figures, purging by tag, another size."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.controls import desired
from tests.controls.conftest import WHY, worker
from tests.controls.test_fleetview import cache, pool
from validation.models import Control

PURGE, RESIZE = "/api/v1/caches/purge", "/api/v1/caches/resize"
type Publish = Callable[..., None]


def post(client: Client, address: str, body: object) -> Any:
    return client.post(address, json.dumps(body), content_type="application/json")


def test_pools_of_the_fleet(operator: Client, publish: Publish) -> None:
    publish(worker(1, pools=(pool(waiting=2),)), worker(2, pools=(pool(),)))
    [found] = operator.get("/api/v1/pools").json()["pools"]
    assert (found["pool"], found["workers"], found["waiting"]) == ("10.0.0.7:8545", 2, 2)
    assert found["wait_p95_ms"] is None
    assert [row["worker"] for row in found["on_workers"]] == ["host:1", "host:2"]


def test_caches_of_the_fleet(operator: Client, publish: Publish) -> None:
    publish(
        worker(1, cache=cache(kinds={"tx": {"l1": 3, "miss": 1}}, curve=((10, 0.5),), sampled=9))
    )
    found = operator.get("/api/v1/caches").json()
    assert (found["workers"], found["total"]["hit_rate"]) == (1, 0.75)
    assert found["kinds"][0]["kind"] == "tx"
    assert found["curve"] == [[10, 0.5]]
    assert found["on_workers"][0]["policy"] == "s3fifo"


def test_no_worker_is_no_hit_rate(operator: Client) -> None:
    found = operator.get("/api/v1/caches").json()
    assert (found["workers"], found["total"], found["age_s"]) == (0, None, None)
    assert {found["entries"], found["bytes"], found["evicted"], found["l2_reachable"]} == {None}


def test_a_purge_is_accepted_and_tells_who_has_done_it(operator: Client, publish: Publish) -> None:
    publish(worker(1, acknowledged=1), worker(2, acknowledged=0))
    response = post(operator, PURGE, {"tag": "head", "confirm": "head", "reason": WHY})
    assert response.status_code == 202
    assert response.json() == {
        "tag": "head", "revision": 1, "reachable": True, "acknowledged": 1, "workers": 2,
        "audit_id": AuditEntry.objects.get().pk,
    }  # fmt: skip
    assert AuditEntry.objects.get().target == "head"


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"confirm": ""}, "confirm"),
        ({"tag": "*"}, "tag"),
        ({"tag": 5}, "tag"),
        ({"reason": ""}, "reason"),
    ],
)
def test_a_purge_that_is_refused(operator: Client, changed: dict[str, Any], field: str) -> None:
    response = post(operator, PURGE, {"tag": "head", "confirm": "head", "reason": WHY} | changed)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    assert not Control.objects.exists()


def test_another_size_until_it_ends(operator: Client) -> None:
    body = {"max_entries": 50_000, "for_s": 60, "reason": WHY, "revision": 0}
    response = post(operator, RESIZE, body)
    assert response.status_code == 200
    assert response.json()["desired"]["settings"] == {"max_entries": 50_000}
    assert post(operator, RESIZE, body).status_code == 409
    assert post(operator, RESIZE, {"reason": WHY}).json()["desired"]["settings"] == {}


def test_a_size_that_lasts_is_for_admins(programs: dict[str, Client]) -> None:
    body = {"max_bytes": 2**24, "for_s": None, "reason": WHY}
    assert post(programs["operator"], RESIZE, body).status_code == 403
    assert post(programs["admin"], RESIZE, body).status_code == 200
    assert desired("l1", "").lasting == {"max_bytes": 2**24}


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"max_entries": 1}, "max_entries"),
        ({"max_bytes": "big"}, "max_bytes"),
        ({"for_s": 86_401}, "for_s"),
    ],
)
def test_a_size_that_is_refused(operator: Client, changed: dict[str, Any], field: str) -> None:
    response = post(operator, RESIZE, {"reason": WHY} | changed)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == field
    assert not Control.objects.exists()
