"""Who is let in, by what, and what everybody else is told."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console.access.tokens import create_token

RUNS = "/api/v1/runs"


def test_a_token_may_come_in_either_header(people: dict[str, User]) -> None:
    _, secret = create_token(people["viewer"], "a", "viewer")
    assert Client(headers={"X-API-Key": secret}).get(RUNS).status_code == 200
    assert Client(headers={"Authorization": f"bearer {secret}"}).get(RUNS).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer swy_" + "x" * 43},
        {"Authorization": "Basic dTpw"},
        {"X-API-Key": "nonsense"},
    ],
)
@pytest.mark.parametrize("address", [RUNS, "/api/v1/openapi.json", "/api/v1/no/such"])
@pytest.mark.django_db
def test_nobody_else_is(headers: dict[str, str], address: str) -> None:
    response = Client(headers=headers).get(address)
    assert response.status_code == 401
    assert response["Content-Type"] == "application/problem+json"
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_a_bad_token_is_not_rescued_by_a_session(clients: dict[str, Client]) -> None:
    response = clients["admin"].get(RUNS, headers={"Authorization": "Bearer swy_wrong"})
    assert response.status_code == 401


def test_a_browsers_session_reads_and_writes_only_with_its_token(people: dict[str, User]) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(people["operator"])
    assert browser.get(RUNS).status_code == 200
    body = {"data": '{"items": ["head"]}', "content_type": "application/json"}
    refused = browser.post(RUNS, **body)  # type: ignore[arg-type]
    assert refused.status_code == 403
    assert "X-CSRFToken" in refused.json()["detail"]
    browser.get("/sign-in/")
    browser.cookies["csrftoken"] = "x" * 32
    accepted = browser.post(RUNS, headers={"X-CSRFToken": "x" * 32}, **body)  # type: ignore[arg-type]
    assert accepted.status_code == 202


def test_a_role_too_low_is_told_which_it_needs(programs: dict[str, Client]) -> None:
    response = programs["viewer"].post(RUNS, "{}", content_type="application/json")
    assert response.status_code == 403
    assert "role operator" in response.json()["detail"]


def test_a_method_that_is_none_is_a_problem_too(operator: Client) -> None:
    response = operator.delete(RUNS)
    assert response.status_code == 405
    assert set(response["Allow"].split(", ")) == {"GET", "POST"}
    assert response["Content-Type"] == "application/problem+json"


def test_an_address_that_is_none(operator: Client) -> None:
    response = operator.get("/api/v1/breakers-of-tomorrow")
    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"


def test_nothing_of_it_is_cached(operator: Client) -> None:
    for address in (RUNS, "/api/v1/openapi.json", "/api/v1/nothing"):
        assert operator.get(address)["Cache-Control"] == "no-store"


def test_a_fault_of_ours_shows_a_reference_and_nothing_else(
    operator: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_ids: object) -> None:
        raise RuntimeError("postgresql://user:canary@host")

    monkeypatch.setattr("validation.services.progress", broken)
    response = operator.get(f"{RUNS}/1")
    assert response.status_code == 500
    assert "canary" not in response.content.decode()
    assert response.json()["reference"] in caplog.text
