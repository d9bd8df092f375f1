"""Drills over the API: asked for, read, and refused in words."""

from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.rehearsals import rehearsing, tasks
from console.rehearsals.models import Rehearsal

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/rehearsals"
BODY = {"flag": "web.compression", "target": "brotli", "reason": "It is rolled out on Monday"}


@pytest.fixture
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    found: list[int] = []
    monkeypatch.setattr(tasks, "ring", found.append)
    return found


def post(client: Client, **changes: str) -> Any:
    return client.post(ADDRESS, BODY | changes, content_type="application/json")


def test_a_drill_is_started_and_read(operator: Client, rung: list[int]) -> None:
    started = post(operator)
    assert (started.status_code, started.json()["state"]) == (202, "queued")
    drill = started.json()["drill"]
    assert rung == [drill]
    assert AuditEntry.objects.get(action="rehearse").reason == BODY["reason"]
    rehearsing.run(Rehearsal.objects.get(pk=drill), units=10)
    told = operator.get(f"{ADDRESS}/{drill}").json()
    assert (told["passed"], told["found"]["during"]["wrong"]) == (True, 0)


def test_drills_are_listed_by_flag(operator: Client, rung: list[int]) -> None:
    drill = post(operator).json()["drill"]
    del rung
    listed = operator.get(f"{ADDRESS}?flag=web.compression").json()
    assert [each["drill"] for each in listed["drills"]] == [drill]
    assert listed["drills"][0]["passed"] is None
    assert listed["not_rehearsable"].keys() == {"db.pool_formula", "db.replica_routing"}
    assert operator.get(f"{ADDRESS}?flag=cache.codec").json()["drills"] == []
    assert operator.get(f"{ADDRESS}/999999").status_code == 404


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"target": "none"}, "than its baseline"),
        ({"flag": "db.pool_formula"}, "cannot be rehearsed"),
        ({"reason": ""}, "reason"),
    ],
)
def test_what_cannot_be_is_refused(
    operator: Client, rung: list[int], changes: dict[str, str], said: str
) -> None:
    refused = post(operator, **changes)
    assert 400 <= refused.status_code < 500
    assert said in refused.json()["detail"]
    assert not rung
    assert not Rehearsal.objects.exists()
