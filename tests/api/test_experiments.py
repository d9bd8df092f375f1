"""Experiments over the API: asked for, read with their figures, cancelled, and refused in words."""

from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.experiments import measuring, running, tasks
from console.experiments.claims import claims, unmeasured
from console.experiments.models import Experiment
from console.experiments.workloads import WORKLOADS
from tests.experiments.made_up import ACTOR, Blocks, claim, less_in_parallel

pytestmark = pytest.mark.django_db

ADDRESS = "/api/v1/experiments"
KEY = "fetch-parallel"
BODY = {"claim": KEY, "pairs": 8, "seed": 7, "reason": "It is to be known on our nodes"}
WHY = {"reason": "The machine is needed"}


@pytest.fixture(autouse=True)
def rung(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    Experiment.objects.all().delete()
    monkeypatch.setitem(WORKLOADS, "validate", Blocks(less_in_parallel))
    found: list[int] = []
    monkeypatch.setattr(tasks, "ring", found.append)
    return found


def post(client: Client, address: str = ADDRESS, body: object = BODY) -> Any:
    return client.post(address, body, content_type="application/json")


def test_a_claim_is_asked_to_be_measured(operator: Client, rung: list[int]) -> None:
    started = post(operator)
    told = started.json()
    assert (started.status_code, told["state"]) == (202, "queued")
    assert (told["pairs"], told["seed"], told["verdict"], told["blocks"]) == (8, 7, None, None)
    assert rung == [told["experiment"]]
    entry = AuditEntry.objects.get(action="measure")
    assert (entry.target, entry.reason) == (KEY, BODY["reason"])


def test_raw_figures_are_read_where_they_are_asked_for(operator: Client) -> None:
    row = measuring.run(running.make(claim(KEY), ACTOR, seed=1))
    address = f"{ADDRESS}/{row.pk}"
    assert operator.get(address).json()["blocks"] is None
    read = operator.get(f"{address}?blocks=true").json()
    assert read["verdict"] == "proved"
    assert len(read["blocks"]) == 4 * 8
    assert {each["variant"] for each in read["blocks"]} == {"sequential", "parallel"}


def test_absent_pairs_are_those_that_the_claim_plans(operator: Client) -> None:
    told = post(operator, body={"claim": KEY, **WHY}).json()
    assert told["pairs"] == claims()[KEY].plan.pairs


def test_they_are_listed_the_newest_first_in_pages(operator: Client) -> None:
    first, second, other = (running.make(claim(key), ACTOR) for key in (KEY, KEY, "fetch-batch"))
    page = operator.get(f"{ADDRESS}?limit=2").json()
    assert [each["experiment"] for each in page["experiments"]] == [other.pk, second.pk]
    assert page["next"] == second.pk
    rest = operator.get(f"{ADDRESS}?limit=2&before={page['next']}").json()
    assert ([each["experiment"] for each in rest["experiments"]], rest["next"]) == (
        [first.pk],
        None,
    )
    ours = operator.get(f"{ADDRESS}?claim={KEY}").json()["experiments"]
    assert [each["experiment"] for each in ours] == [second.pk, first.pk]


def test_claimed_stands_against_measured_and_what_cannot_be_says_why(operator: Client) -> None:
    row = measuring.run(running.make(claim(KEY), ACTOR, seed=1))
    told = {each["claim"]: each for each in operator.get("/api/v1/claims").json()["claims"]}
    assert [*told] == [*claims(), *(each.key for each in unmeasured())]
    ours = told[KEY]
    assert (ours["claimed"], ours["verdict"], ours["reached"]) == (-0.6, "proved", False)
    assert ours["measured"]["experiment"] == row.pk
    assert ours["measured"]["low"] < ours["measured"]["estimate"] < ours["measured"]["high"]
    assert "less than claimed" in ours["words"]
    blank = told["fetch-batch"]
    assert (blank["measurable"], blank["measured"], blank["reached"]) == (True, None, None)
    pool = told["db-pool"]
    assert (pool["measurable"], pool["claimed"], pool["verdict"]) == (False, None, None)
    assert pool["why"].startswith("The pool")


def test_one_is_cancelled_once(operator: Client) -> None:
    pk = post(operator).json()["experiment"]
    cancelled = post(operator, f"{ADDRESS}/{pk}/cancel", WHY)
    assert (cancelled.status_code, cancelled.json()["state"]) == (200, "cancelled")
    assert AuditEntry.objects.get(action="cancel").reason == WHY["reason"]
    again = post(operator, f"{ADDRESS}/{pk}/cancel", WHY)
    assert again.status_code == 409
    assert "nothing to end" in again.json()["detail"]


def test_a_claim_is_measured_once_at_a_time(operator: Client) -> None:
    pk = post(operator).json()["experiment"]
    refused = post(operator)
    assert refused.status_code == 409
    assert f"experiment-{pk} measures {KEY} already" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("changes", "status", "said"),
    [
        ({"claim": "nothing"}, 422, "claim: 'nothing' is not one of fetch-parallel"),
        ({"claim": "db-pool"}, 409, "db-pool cannot be measured here: The pool"),
        ({"pairs": 7}, 422, "pairs: 7 is not a whole number of pairs from 8 to 200"),
        ({"pairs": "8"}, 422, "pairs: '8' is not a whole number"),
        ({"pairs": None}, 422, "pairs: None is not"),
        ({"seed": -1}, 422, "seed: -1 is not a whole number from 0 to 2147483647"),
        ({"reason": "no"}, 422, "reason: 'no' is not a reason of 10"),
        ({"other": 1}, 422, "a field 'other'"),
    ],
)
def test_what_cannot_be_is_refused(
    operator: Client, rung: list[int], changes: dict[str, object], status: int, said: str
) -> None:
    refused = post(operator, body=BODY | changes)
    assert (refused.status_code, refused["Content-Type"]) == (status, "application/problem+json")
    assert said in refused.json()["detail"]
    assert not rung
    assert not Experiment.objects.exists()


def test_what_is_not_there_is_said(operator: Client) -> None:
    assert operator.get(f"{ADDRESS}/999999").status_code == 404
    assert post(operator, f"{ADDRESS}/999999/cancel", WHY).status_code == 404
    assert operator.get(f"{ADDRESS}?before=x").status_code == 422
