"""The roadmap by API: what was there stays, and what people wrote is beside what follows."""

import json
from typing import Any

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from console.flags.models import Flag
from console.roadmap.gates import standing as gates
from console.roadmap.programmes import roadmap

pytestmark = pytest.mark.django_db
WHY = "Agreed in the weekly meeting"


def got(client: Client, path: str) -> dict[str, Any]:
    answer = client.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.content
    return dict(answer.json())


def edit(client: Client, key: str, **fields: Any) -> Any:
    path = f"/api/v1/optimisations/{key}/edit"
    return client.post(path, json.dumps(fields), content_type="application/json")


def test_the_list_has_what_it_always_had_and_more(
    programs: dict[str, Client], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    # What gates found is looked at every ten seconds, not for each who asks.
    gates.judge_all()
    with django_assert_max_num_queries(12):
        rows = got(programs["viewer"], "optimisations")["optimisations"]
    assert [row["id"] for row in rows] == list(roadmap().planned)
    row = next(each for each in rows if each["id"] == "1.4")
    assert (row["decision"], row["lines"], row["built"]) == ("flag", "243-354", True)
    assert row["flags"] == [{"key": "cache.codec", "words": "zstd-fast", "stage": 100}]
    assert (row["phase"], row["priority"], row["effort_h"]) == ("roadmap.1", "critical", 2)
    assert row["effects"][0]["low"] == -33
    assert row["contradictions"] == ["codec", "current-is-fixed", "split"]
    assert (row["state"], row["status"]["share"], row["edit"]) == ("done", 100, None)


def test_a_flag_that_goes_back_takes_the_status_with_it(programs: dict[str, Client]) -> None:
    Flag.objects.filter(pk="cache.codec").update(stage=0)
    assert got(programs["viewer"], "optimisations/1.4")["state"] == "off"


def test_what_is_written_stands_beside_what_follows(programs: dict[str, Client]) -> None:
    made = edit(programs["admin"], "1.4", owner="Ada", status="in_force", reason=WHY)
    assert made.status_code == 200
    told = made.json()
    # The release's evidence holds, and so do the gates.
    assert (told["state"], told["status"]["state"]) == ("in_force", "done")
    assert (told["edit"]["owner"], told["edit"]["status_reason"]) == ("Ada", WHY)
    again = edit(programs["operator"], "1.4", owner=None, reason=WHY)
    assert (again.json()["edit"]["owner"], again.json()["edit"]["status"]) == ("", "in_force")


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"owner": "Ada"}, 422),
        ({"priority": "urgent", "reason": WHY}, 422),
        ({"due": "tomorrow", "reason": WHY}, 422),
        ({"reason": WHY}, 422),
        ({"status": "done", "reason": WHY}, 403),
        ({"owner": "Ada", "reason": WHY, "revision": 1}, 409),
    ],
)
def test_what_cannot_be_written_is_refused(
    programs: dict[str, Client], fields: dict[str, Any], status: int
) -> None:
    assert edit(programs["operator"], "1.4", **fields).status_code == status
    assert got(programs["viewer"], "optimisations/1.4")["edit"] is None


def test_one_that_is_not_there_is_said_so(programs: dict[str, Client]) -> None:
    answer = programs["viewer"].get("/api/v1/optimisations/9.9")
    assert answer.status_code == 404
    assert edit(programs["operator"], "9.9", owner="Ada", reason=WHY).status_code == 404


def test_the_roadmap_says_what_gains_compound_to(programs: dict[str, Client]) -> None:
    told = got(programs["viewer"], "roadmap")
    main = told["programmes"][0]
    assert main["compounding"]["added"] == [70, 95]
    assert main["compounding"]["compounds_to"] == pytest.approx([56.8, 70.25])
    assert (main["phase"][0]["hours"], main["phase"][0]["hours_added"]) == (20, 16)
    assert len(told["contradictions"]) == len(roadmap().contradictions)
    assert told["targets"][0]["from"] == 150
    assert told["costs"][1]["comes_back"] == pytest.approx([0.2, 0.667], abs=0.001)
