"""Rollouts by the API: begun, read, steered; refused as every change is."""

import json
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from console.rollouts.models import Rollout, State
from tests.rehearsals.made_up import drilled
from tests.rollouts.bench import FLAG, TARGET, WHY, Bench, at_baseline, started

pytestmark = pytest.mark.django_db


def post(client: Client, address: str, **fields: Any) -> HttpResponse:
    answer = client.post(
        f"/api/v1/rollouts{address}", json.dumps(fields), content_type="application/json"
    )
    assert isinstance(answer, HttpResponse)
    return answer


def test_one_is_started_and_told_in_full(admin_client: Client) -> None:
    at_baseline()
    drilled(FLAG, TARGET)
    given = {"stages": [10, 100], "bake_s": 30, "guards": [{"metric": "mean_s", "most": 0.2}]}
    made = post(admin_client, "", flag=FLAG, target=TARGET, reason=WHY, **given)
    assert made.status_code == 200, made.content
    told = json.loads(made.content)
    assert (told["state"], told["stages"], told["bake_s"]) == ("running", [10, 100], 30)
    assert [step["decision"] for step in told["log"]] == ["start"]
    listed = admin_client.get("/api/v1/rollouts").json()
    assert [one["id"] for one in listed["rollouts"]] == [told["id"]]
    assert listed["automation"] == {"is_stopped": False, "since": None, "why": ""}


def test_numbers_and_log_are_there_once_it_runs(admin_client: Client) -> None:
    bench = Bench(started())
    bench.tick(10)
    told = admin_client.get(f"/api/v1/rollouts/{bench.pk}").json()
    assert {guard["metric"] for guard in told["guards"]} == {"error_share", "mean_s", "p95_s"}
    assert told["acts"] == ["promote", "hold", "abort"]
    assert [step["decision"] for step in told["log"]] == ["start", "advance"]


def test_it_is_held_resumed_promoted_and_aborted(admin_client: Client) -> None:
    bench = Bench(started(stages=[5, 25, 100]))
    bench.tick(1)
    for act, state in (
        ("hold", "held"), ("resume", "running"), ("promote", "running"), ("abort", "aborted")
    ):  # fmt: skip
        answer = post(admin_client, f"/{bench.pk}/{act}", reason=WHY)
        assert (answer.status_code, json.loads(answer.content)["state"]) == (200, state)
    assert bench.flag.stage == 0
    over = post(admin_client, f"/{bench.pk}/hold", reason=WHY)
    assert over.status_code == 409
    assert "is over: aborted" in json.loads(over.content)["detail"]


def test_who_saw_another_revision_gets_a_conflict_with_the_one_that_is(
    admin_client: Client,
) -> None:
    row = started()
    answer = post(admin_client, f"/{row.pk}/hold", reason=WHY, revision=99)
    assert answer.status_code == 409
    assert json.loads(answer.content)["revision"] == Rollout.objects.get().revision


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"stages": [200]}, "stages"),
        ({"stages": "5"}, "stages"),
        ({"bake_s": "long"}, "bake_s"),
        ({"guards": "none"}, "guards"),
        ({"gates": [1]}, "gates"),
        ({"target": "nothing"}, "target"),
        ({"reason": "no"}, "reason"),
    ],
)
def test_what_is_wrong_is_named(admin_client: Client, fields: dict[str, Any], field: str) -> None:
    at_baseline()
    answer = post(admin_client, "", **({"flag": FLAG, "target": TARGET, "reason": WHY} | fields))
    assert answer.status_code == 422
    assert json.loads(answer.content)["errors"][0]["field"] == field


def test_one_that_is_not_there_is_not_found(admin_client: Client) -> None:
    assert admin_client.get("/api/v1/rollouts/99999").status_code == 404
    assert post(admin_client, "/99999/abort", reason=WHY).status_code == 404


def test_rollouts_that_go_on_need_no_permission_to(admin_client: Client) -> None:
    answer = post(admin_client, "/-/resume", reason=WHY)
    assert answer.status_code == 422
    assert not Rollout.objects.filter(state=State.STOPPED).exists()
