"""Breakers by the API: what is seen, what may be wanted by whom, and what is refused and why."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.controls import desired
from monitoring.snapshots import Transition
from tests.controls.conftest import WHY, report, worker
from validation.models import Control

L2 = "/api/v1/breakers/l2"
OVERRIDE = f"{L2}/override"
FORCE = {"mode": "forced_open", "for_s": 900, "reason": WHY, "confirm": "l2"}
type Publish = Callable[..., None]


def post(client: Client, address: str, body: object) -> Any:
    return client.post(address, json.dumps(body), content_type="application/json")


def untouched() -> bool:
    return not Control.objects.exists() and not AuditEntry.objects.exists()


def test_the_fleet_is_listed_the_worst_first(operator: Client, publish: Publish) -> None:
    states = {1: "closed", 2: "open"}
    publish(*(worker(n, breakers=(report("node:a:1:block", s),)) for n, s in states.items()))
    [first, *rest] = operator.get("/api/v1/breakers").json()["breakers"]
    assert (first["name"], first["state"]) == ("node:a:1:block", "open")
    assert (first["spread"], first["by_state"]) == (
        "open on 1 of 2 workers",
        {"open": 1, "closed": 1},
    )
    assert first["desired"]["mode"] == "auto"
    assert first["failure_rate"] is None
    assert {row["state"] for row in rest} == {None}


def test_one_breaker_tells_of_each_worker(operator: Client, publish: Publish) -> None:
    change = Transition(at=5.0, before="closed", after="open", cause="failures")
    there = report(state="open", calls=10, failures=9, failure_rate=0.9, transitions=(change,))
    publish(worker(1, breakers=(there,), acknowledged=3))
    found = operator.get(L2).json()
    [row] = found["on_workers"]
    assert (row["worker"], row["worker_state"], row["state"]) == ("host:1", "up", "open")
    assert 0 <= row["age_s"] < 5
    assert found["transitions"] == [
        {"worker": "host:1", "at": 5.0, "before": "closed", "after": "open", "cause": "failures"}
    ]


def test_forcing_open_answers_with_desired_and_acknowledged(
    programs: dict[str, Client], publish: Publish
) -> None:
    publish(worker(1, acknowledged=1, breakers=(report(),)), worker(2, acknowledged=0))
    response = post(programs["operator"], OVERRIDE, FORCE)
    assert response.status_code == 200
    found = response.json()
    assert (found["desired"]["mode"], found["desired"]["revision"]) == ("forced_open", 1)
    assert (found["acknowledged"], found["workers"], found["computed"]) == (1, 2, "closed")
    entry = AuditEntry.objects.get()
    assert (entry.actor, entry.role, entry.origin, entry.token) == (
        "operator", "operator", "api", "operator",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"mode": "forced_closed"}, {"mode": "forced_closed"}),
        ({"mode": "auto"}, {"mode": ""}),
        ({"reset": True}, {"reset_revision": 1}),
        ({"settings": {"open_s": 9, "min_calls": 3}}, {"settings": {"open_s": 9, "min_calls": 3}}),
        ({"settings": {}, "for_s": 60}, {"settings": {}}),
    ],
)
def test_each_act(operator: Client, body: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert post(operator, OVERRIDE, {"reason": WHY, **body}).status_code == 200
    order = desired("breaker", "l2")
    assert {name: getattr(order, name) for name in wanted} == wanted


def test_what_lasts_is_for_admins(programs: dict[str, Client]) -> None:
    body = {"settings": {"open_s": 9}, "for_s": None, "reason": WHY}
    refused = post(programs["operator"], OVERRIDE, body)
    assert refused.status_code == 403
    assert "needs the role admin" in refused.json()["detail"]
    assert untouched()
    assert post(programs["admin"], OVERRIDE, body).json()["desired"]["lasting"] == {"open_s": 9}


@pytest.mark.parametrize("role", ["viewer", "anonymous"])
def test_who_may_not_changes_nothing(programs: dict[str, Client], role: str) -> None:
    assert post(programs[role], OVERRIDE, FORCE).status_code in {401, 403}
    assert untouched()


def test_a_change_by_another_meanwhile_is_a_conflict(operator: Client) -> None:
    post(operator, OVERRIDE, FORCE)
    late = post(operator, OVERRIDE, {"reset": True, "reason": WHY, "revision": 0})
    assert late.status_code == 409
    assert late["Content-Type"] == "application/problem+json"
    assert (late.json()["revision"], "you saw 0" in late.json()["detail"]) == (1, True)
    assert AuditEntry.objects.count() == 1
    again = {"reset": True, "reason": WHY, "revision": late.json()["revision"]}
    assert post(operator, OVERRIDE, again).status_code == 200


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"reason": "because"}, "reason"),
        ({"reason": 5}, "reason"),
        ({"reason": None}, "reason"),
        ({"confirm": "L2"}, "confirm"),
        ({"confirm": ["l2"]}, "confirm"),
        ({"mode": "ajar"}, "mode"),
        ({"mode": None}, "mode"),
        ({"for_s": 1}, "for_s"),
        ({"for_s": None}, "for_s"),
        ({"for_s": True}, "for_s"),
        ({"for_s": 10**30}, "for_s"),
        ({"revision": "1"}, "revision"),
        ({"revision": True}, "revision"),
    ],
)
def test_a_refusal_names_its_field_and_value(
    operator: Client, changed: dict[str, Any], field: str
) -> None:
    response = post(operator, OVERRIDE, FORCE | changed)
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["field"] == field
    assert error["value"] in (changed[field], str(changed[field]))
    assert untouched()


@pytest.mark.parametrize(
    ("thresholds", "says"),
    [
        ({"failure_rate": 2}, "settings.failure_rate: 2 is not a number from 0.01 to 1."),
        ({"min_calls": 1.5}, "settings.min_calls: 1.5 is not a whole number from 1"),
        ({"nonsense": 1}, "settings: 'nonsense' is not one of"),
        ({"open_s": None}, "settings.open_s: None is not a number"),
        ([], "settings: '[]' is not an object"),
    ],
)
def test_bad_thresholds_are_named(operator: Client, thresholds: object, says: str) -> None:
    response = post(operator, OVERRIDE, {"settings": thresholds, "reason": WHY})
    assert response.status_code == 422
    assert says in response.json()["detail"]
    assert untouched()


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        ({"reason": WHY}, 422, "exactly one of the fields mode, reset and settings"),
        (FORCE | {"reset": True}, 422, "exactly one of"),
        ({"reset": False, "reason": WHY}, 422, "reset: False is not true"),
        (FORCE | {"minutes": 5}, 422, "has a field 'minutes'"),
        (["forced_open"], 422, "The body is no object"),
    ],
)
def test_what_is_no_act(operator: Client, body: object, status: int, says: str) -> None:
    response = post(operator, OVERRIDE, body)
    assert (response.status_code, says in response.json()["detail"]) == (status, True)
    assert untouched()


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        ("{", "application/json", 422),
        ('{"reset": true, "reset": true}', "application/json", 422),
        ('{"for_s": NaN}', "application/json", 422),
        ("[" * 100_000, "application/json", 413),
        ("mode=forced_open", "application/x-www-form-urlencoded", 415),
    ],
)
def test_a_body_that_cannot_be_read(
    operator: Client, raw: str, content_type: str, status: int
) -> None:
    assert operator.post(OVERRIDE, raw, content_type=content_type).status_code == status
    assert untouched()


@pytest.mark.parametrize("name", ["l3", "node:x:1:lookup", "%00", "..", "a" * 500])
def test_a_breaker_that_is_not_there(operator: Client, name: str) -> None:
    assert operator.get(f"/api/v1/breakers/{name}").status_code == 404
    response = post(operator, f"/api/v1/breakers/{name}/override", FORCE | {"confirm": name})
    assert response.status_code == 404
    assert untouched()


@pytest.mark.django_db(transaction=True)
def test_the_cache_server_down_shows_nothing_and_loses_nothing(
    operator: Client, no_valkey: None
) -> None:
    for address in ("/api/v1/breakers", L2, "/api/v1/pools", "/api/v1/caches"):
        away = operator.get(address)
        assert (away.status_code, "Retry-After" in away) == (503, True)
        assert "What is wanted is kept" in away.json()["detail"]
    response = post(operator, OVERRIDE, FORCE)
    assert response.status_code == 200
    found = response.json()
    assert (found["state"], found["workers"], found["on_workers"]) == (None, None, [])
    assert (found["reachable"], found["acknowledged"], found["calls"]) == (False, None, None)
    assert desired("breaker", "l2").mode == "forced_open"
