"""Calls of a token in /api/v1/ are counted too; a person's at a browser are not."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from console.access.quotas import InProcess, Quotas
from console.access.tokens import create_token
from console.flags import rates, web
from tests.access.conftest import (  # noqa: F401 - fixtures, found by name
    people,
    quick_passwords,
    static_root,
)

RUNS = "/api/v1/runs"


@pytest.fixture(autouse=True)
def three_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    quotas = Quotas(3, lambda: "process", variants={"process": InProcess})
    monkeypatch.setattr(rates, "of_api", lambda: quotas)


def test_a_token_that_made_its_calls_waits_and_others_do_not(
    people: dict[str, User],  # noqa: F811 - the fixture
) -> None:
    secrets = [create_token(people["viewer"], name, "viewer")[1] for name in ("a", "b")]
    first, second = (Client(headers={"X-API-Key": secret}) for secret in secrets)
    assert [first.get(RUNS).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = first.get(RUNS)
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["Content-Type"] == "application/problem+json"
    assert "wait" in refused.json()["detail"]
    assert second.get(RUNS).status_code == 200
    browser = Client()
    browser.force_login(people["viewer"])
    assert {browser.get(RUNS).status_code for _ in range(5)} == {200}


def test_what_is_no_token_costs_no_token_anything(people: dict[str, User]) -> None:  # noqa: F811
    _, secret = create_token(people["viewer"], "a", "viewer")
    guessing = Client(headers={"X-API-Key": "swy_" + "x" * 43})
    assert {guessing.get(RUNS).status_code for _ in range(5)} == {401}
    assert Client(headers={"X-API-Key": secret}).get(RUNS).status_code == 200


def test_the_way_of_counting_is_the_one_that_the_flag_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(web, "_current", web.WebDecisions.by({"api.quotas": "process"}))
    assert isinstance(rates.of_ofrep.__wrapped__().in_force(), InProcess)
