"""The trail by API: what was done is listed, and taken back by its entry."""

from typing import Any

import pytest
from django.test import Client

from console import controls
from tests.controls.conftest import L2, WHY, actor

pytestmark = pytest.mark.django_db
AUDIT = "/api/v1/audit"
FORCE = {"mode": "forced_open", "reason": WHY, "confirm": L2}


def post(client: Client, address: str, document: object) -> Any:
    return client.post(address, document, content_type="application/json")


def test_each_act_names_the_entry_that_takes_it_back(operator: Client) -> None:
    forced = post(operator, f"/api/v1/breakers/{L2}/override", FORCE).json()
    response = post(operator, f"{AUDIT}/{forced['audit_id']}/revert", {"reason": WHY})
    back = response.json()
    assert response.status_code == 200
    assert (back["kind"], back["target"], back["desired"]["mode"]) == ("breaker", L2, "auto")
    assert controls.desired("breaker", L2).is_auto
    given = {"reason": WHY, "confirm": L2, "revision": back["desired"]["revision"]}
    again = post(operator, f"{AUDIT}/{back['audit_id']}/revert", given)
    assert again.json()["desired"]["mode"] == "forced_open"
    sized = post(operator, "/api/v1/caches/resize", {"max_entries": 50, "reason": WHY}).json()
    assert post(operator, f"{AUDIT}/{sized['audit_id']}/revert", {"reason": WHY}).status_code == 200
    purge = {"tag": "head", "confirm": "head", "reason": WHY}
    purged = post(operator, "/api/v1/caches/purge", purge).json()
    refused = post(operator, f"{AUDIT}/{purged['audit_id']}/revert", {"reason": WHY})
    assert (refused.status_code, "done once" in refused.json()["detail"]) == (409, True)


@pytest.mark.parametrize(
    ("given", "status", "says"),
    [
        ({"reason": "short"}, 422, "'short' is not a reason"),
        ({}, 422, "reason"),
        ({"reason": WHY, "revision": 7}, 409, "you saw 7"),
        ({"reason": WHY, "for_s": 7}, 422, "has a field 'for_s'"),
        ({"reason": WHY}, 422, "confirm"),
    ],
)
def test_what_cannot_be_taken_back_says_why(
    operator: Client, given: dict[str, Any], status: int, says: str
) -> None:
    controls.override_breaker(actor(), L2, "forced_open", reason=WHY, confirm=L2)
    controls.release_breaker(actor(), L2, reason=WHY)
    newest = operator.get(AUDIT).json()["entries"][0]["id"]
    response = post(operator, f"{AUDIT}/{newest}/revert", given)
    assert (response.status_code, says in response.json()["detail"]) == (status, True)
    assert controls.desired("breaker", L2).is_auto


def test_what_was_followed_by_another_change_is_a_conflict(operator: Client) -> None:
    controls.override_breaker(actor(), L2, "disabled", reason=WHY)
    controls.release_breaker(actor(), L2, reason=WHY)
    oldest = operator.get(AUDIT).json()["entries"][1]["id"]
    response = post(operator, f"{AUDIT}/{oldest}/revert", {"reason": WHY})
    assert (response.status_code, response.json()["revision"]) == (409, 2)


@pytest.mark.parametrize("number", ["7", str(2**64)])
def test_an_entry_that_is_none(operator: Client, number: str) -> None:
    response = post(operator, f"{AUDIT}/{number}/revert", {"reason": WHY})
    assert (response.status_code, number in response.json()["detail"]) == (404, True)


def test_a_viewer_reads_the_trail_in_pages_newest_first(programs: dict[str, Client]) -> None:
    for entries in (500, 600, 700):
        controls.resize_l1(actor(name="bea"), {"max_entries": entries}, reason=WHY)
    first = programs["viewer"].get(AUDIT, {"limit": 2}).json()
    sizes = [entry["after"]["settings"]["max_entries"] for entry in first["entries"]]
    assert sizes == [700, 600]
    assert (first["entries"][0]["actor"], first["entries"][0]["reason"]) == ("bea", WHY)
    last = programs["viewer"].get(AUDIT, {"limit": 2, "before": first["next"]}).json()
    assert [entry["after"]["settings"]["max_entries"] for entry in last["entries"]] == [500]
    assert last["next"] is None
