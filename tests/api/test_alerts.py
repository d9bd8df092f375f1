"""Alerts by the API: what fires, the catalogue, acknowledging and silencing."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from console.access.models import AuditEntry
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.destinations import Destination
from monitoring.models import Notification, Silence
from tests.alerts.test_acts import WHY, an_alert
from tests.made_up_alerts import somebody_looked

pytestmark = pytest.mark.django_db


def post(client: Client, path: str, status: int, **body: object) -> dict[str, Any]:
    answer = client.post(f"/api/v1/{path}", json.dumps(body), content_type="application/json")
    assert answer.status_code == status, answer.content
    found: dict[str, Any] = answer.json()
    return found


def listed(client: Client, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/api/v1/alerts{query}").json()
    return found


def test_what_is_open_is_listed_and_the_rest_when_asked_for(operator: Client) -> None:
    first, over = an_alert(), an_alert(subject="replica_2", state="cleared")
    found = listed(operator)
    assert [one["id"] for one in found["alerts"]] == [first.pk]
    one = found["alerts"][0]
    assert (one["title"], one["runbook"]) == ("A replica is behind", "replica-lag")
    assert (one["value"], one["seen_at"]) == (None, None)
    assert [one["id"] for one in listed(operator, "?state=cleared")["alerts"]] == [over.pk]
    assert operator.get("/api/v1/alerts?limit=0").status_code == 422
    assert operator.get("/api/v1/alerts?state=loud").status_code == 422


def test_an_empty_list_says_whether_anybody_looked(operator: Client) -> None:
    somebody_looked(ago_s=None)
    assert listed(operator) == {
        "looked_at": None, "is_missed": True, "alerts": [], "silences": [],
    }  # fmt: skip
    somebody_looked(ago_s=60)
    assert listed(operator)["is_missed"] is True
    somebody_looked(ago_s=4)
    found = listed(operator)
    assert found["is_missed"] is False
    assert found["looked_at"].endswith(("Z", "+00:00"))


def test_the_catalogue_says_where_each_threshold_comes_from(operator: Client) -> None:
    found = {one["key"]: one for one in operator.get("/api/v1/alerts/rules").json()}
    assert set(found) == set(RULES)
    assert {one["source"] for one in found["db.pool_used"]["said"]} == {"000", "001", "002", "004"}
    assert found["db.pool_used"]["why"]


def test_acknowledging(operator: Client) -> None:
    one = an_alert()
    found = post(operator, f"alerts/{one.pk}/acknowledge", 200, reason=WHY)
    assert (found["acknowledged_by"], found["acknowledged_reason"]) == ("operator", WHY)
    assert (
        "There is no alert 0" in post(operator, "alerts/0/acknowledge", 404, reason=WHY)["detail"]
    )
    post(operator, f"alerts/{one.pk}/acknowledge", 422, reason="short")
    over = an_alert(subject="b", state="cleared", cleared_at=one.began_at)
    assert "is over" in post(operator, f"alerts/{over.pk}/acknowledge", 409, reason=WHY)["detail"]


def test_silencing_and_ending_it(operator: Client) -> None:
    made = post(operator, "silences", 201, rule="replica.lag", for_s=600, reason=WHY)
    assert (made["rule"], made["kind"], made["by"]) == ("replica.lag", "silence", "operator")
    assert [one["id"] for one in listed(operator)["silences"]] == [made["id"]]
    post(operator, f"silences/{made['id']}/end", 200, reason=WHY)
    assert listed(operator)["silences"] == []
    post(operator, f"silences/{made['id']}/end", 409, reason=WHY)
    post(operator, "silences/0/end", 404, reason=WHY)


def test_what_cannot_be_silenced_is_refused_by_field(operator: Client) -> None:
    told = post(operator, "silences", 422, rule="no.rule", for_s=600, reason=WHY)
    assert told["errors"][0]["field"] == "rule"
    told = post(operator, "silences", 422, rule="replica.lag", for_s=5, reason=WHY)
    assert told["errors"][0]["field"] == "for_s"
    told = post(
        operator, "silences", 422, rule="replica.lag", for_s=600, begins_at="noon", reason=WHY
    )
    assert told["errors"][0]["field"] == "begins_at"
    post(operator, "silences", 403, kind="maintenance", for_s=600, reason=WHY)
    assert not Silence.objects.exists()


def test_a_viewer_only_looks(programs: dict[str, Client]) -> None:
    one = an_alert()
    viewer = programs["viewer"]
    assert len(listed(viewer)["alerts"]) == 1
    post(viewer, f"alerts/{one.pk}/acknowledge", 403, reason=WHY)
    post(viewer, "silences", 403, rule="replica.lag", for_s=600, reason=WHY)


def test_a_test_is_sent_once_a_minute_to_those_whom_it_names(
    operator: Client, clients: dict[str, Client], settings: Settings
) -> None:
    said = post(operator, "alerts/test", 409, reason=WHY)["detail"]
    assert "NOTIFY_URLS names nobody" in said
    settings.NOTIFY_DESTINATIONS = (Destination.parse("slack://TokenA/TokenB/TokenC;name=ops"),)
    post(clients["viewer"], "alerts/test", 403, reason=WHY)
    post(operator, "alerts/test", 422, reason="short")
    found = post(operator, "alerts/test", 202, reason=WHY)
    assert found["destinations"] == ["ops"]
    assert Notification.objects.get().key == found["key"]
    assert AuditEntry.objects.get().target == found["key"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"for_s": 600, "begins_at": ""}, "begins_at: '' is not a time"),
        ({"for_s": 600, "group": "database"}, "group: 'database' is not that of replica.lag"),
        ({}, "for_s is missing"),
        ({"for_s": 0}, "for_s: 0"),
    ],
)
def test_what_a_silence_cannot_be_is_not_taken_for_something_else(
    operator: Client, given: dict[str, object], says: str
) -> None:
    found = post(operator, "silences", 422, rule="replica.lag", reason=WHY, **given)
    assert says in found["detail"]
    assert not Silence.objects.exists()
    post(operator, "silences", 201, rule="replica.lag", group="replicas", for_s=600, reason=WHY)
