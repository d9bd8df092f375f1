"""Flags by API: read, moved, planned, frozen, defined and carried over, with roles and refusals."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from console.access.models import AuditEntry
from console.flags import clock
from console.flags.models import Flag, PlannedStage
from console.roadmap import decisions
from monitoring import snapshots
from monitoring.snapshots import FlagReport
from tests.controls.conftest import worker
from tests.flags.made import VARIANTS, WHY, flag

pytestmark = pytest.mark.django_db
KEY = "checkout.codec"
PATH = f"flags/{KEY}"


def post(client: Client, path: str, **fields: object) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(fields), content_type="application/json")


def done(client: Client, path: str, **fields: object) -> dict[str, Any]:
    answer = post(client, path, reason=WHY, **fields)
    assert answer.status_code in {200, 201}, answer.content
    return dict(answer.json())


def test_a_flag_is_ramped_watched_rolled_back_and_reverted(programs: dict[str, Client]) -> None:
    seen = flag(bake_s={"5": 600}).revision
    snapshots.publish(worker(slot=0, flags=(
        FlagReport(key=KEY, variant="old", value="old", reason="STATIC", evaluations={"old": 3}),
    )))  # fmt: skip
    operator = programs["operator"]
    moved = done(operator, f"{PATH}/stage", stage=5, revision=seen)
    assert (moved["stage"], moved["state"], moved["words"]) == (
        5, "partial", "new on 5 %, old else",
    )  # fmt: skip
    assert (moved["was"]["words"], moved["next"]["percent"]) == ("old", 25)
    assert AuditEntry.objects.get(pk=moved["audit_id"]).revision == moved["revision"]
    more = done(operator, f"{PATH}/stage", stage=25, variant="newer", rest="new")
    assert (more["target"], more["rest"], more["was"]["to_bake_s"]) == ("newer", "new", 600)
    assert more["was"]["baked_s"] < 60
    got = operator.get(f"/api/v1/{PATH}").json()
    assert (got["workers"], got["acknowledged"], got["per_minute"]) == (1, 0, None)
    (row,) = got["on_workers"]
    assert (row["variant"], row["evaluations"], row["worker_state"]) == ("old", {"old": 3}, "up")
    assert [entry["action"] for entry in got["history"]] == ["stage", "stage", "create"]
    assert got["by_variant"] == {"old": 1}
    back = post(operator, f"audit/{more['audit_id']}/revert", reason=WHY).json()
    assert (back["kind"], back["target"]) == ("flags", KEY)
    assert done(operator, f"{PATH}/roll-back")["words"] == "old"
    listed = operator.get("/api/v1/flags").json()["flags"]
    assert {one["key"] for one in listed} == set(Flag.objects.values_list("key", flat=True))


def test_who_saw_another_revision_is_told_what_holds(operator: Client) -> None:
    seen = flag().revision
    done(operator, f"{PATH}/stage", stage=25)
    answer = post(operator, f"{PATH}/stage", stage=50, reason=WHY, revision=seen)
    assert answer.status_code == 409
    told = answer.json()
    assert "Now: new on 25 %, old else" in told["detail"]
    assert told["revision"] == seen + 1


def test_what_was_never_rehearsed_answers_409_and_an_admin_may_go_without(
    programs: dict[str, Client],
) -> None:
    done(programs["operator"], "flags/cache.codec/roll-back")
    asked = {"stage": 5, "variant": "gzip", "reason": WHY}
    path = "flags/cache.codec/stage"
    refused = post(programs["operator"], path, **asked)
    assert refused.status_code == 409
    assert "Rehearse it first" in refused.json()["detail"]
    assert post(programs["operator"], path, **asked, unrehearsed=True).status_code == 403
    wrong = post(programs["admin"], path, **asked, unrehearsed="yes")
    assert wrong.status_code == 422
    assert "unrehearsed" in wrong.json()["detail"]
    assert Flag.objects.get(pk="cache.codec").stage == 0
    assert post(programs["admin"], path, **asked, unrehearsed=None).status_code == 409
    assert post(programs["admin"], path, **asked, unrehearsed=True).status_code == 200
    for named in ("rehearsals", "rollouts"):
        assert programs["admin"].get(f"/api/v1/{named}?flag=%00").status_code == 422


def test_plans_and_freezes(operator: Client) -> None:
    flag()
    planned = done(operator, f"{PATH}/plan", through=50)
    assert [step["stage"] for step in planned["plan"]] == [5, 25, 50]
    at = (clock.now() + timedelta(hours=1)).isoformat()
    planned = done(operator, f"{PATH}/plan", steps=[{"at": at, "stage": 10}])
    assert [step["state"] for step in planned["plan"]] == ["waiting"] + ["cancelled"] * 3
    done(operator, f"{PATH}/plan/cancel")
    assert not PlannedStage.objects.filter(state="waiting").exists()
    assert done(operator, f"{PATH}/freeze", until=at)["key"] == KEY
    refused = post(operator, f"{PATH}/stage", stage=5, reason=WHY)
    assert (refused.status_code, "frozen until" in refused.json()["detail"]) == (409, True)
    assert operator.get(f"/api/v1/{PATH}").json()["frozen"]["of_all"] is False
    done(operator, f"{PATH}/thaw")
    done(operator, "flags/-/freeze", until=at)
    assert operator.get(f"/api/v1/{PATH}").json()["frozen"]["of_all"] is True
    assert done(operator, "flags/-/thaw")["until"] is None
    done(operator, f"{PATH}/stage", stage=5)


def test_an_admin_defines_switches_and_deletes(programs: dict[str, Client]) -> None:
    admin = programs["admin"]
    answer = post(admin, "flags", key=KEY, variants={"off": False, "on": True}, reason=WHY)
    assert answer.status_code == 201
    made = answer.json()
    assert (made["type"], made["words"], made["unit"], made["was"]) == (
        "boolean", "off", "item", None,
    )  # fmt: skip
    assert done(admin, f"{PATH}/edit", title="Checkout", slot_s=5)["title"] == "Checkout"
    assert done(admin, f"{PATH}/disable")["state"] == "off"
    assert done(admin, f"{PATH}/enable")["state"] == "baseline"
    gone = done(admin, f"{PATH}/delete", confirm=KEY)
    assert admin.get(f"/api/v1/{PATH}").status_code == 404
    post(admin, f"audit/{gone['audit_id']}/revert", reason=WHY)
    assert admin.get(f"/api/v1/{PATH}").json()["title"] == "Checkout"


@pytest.mark.parametrize(
    ("path", "fields", "status", "says"),
    [
        (f"{PATH}/stage", {"stage": 101}, 422, "stage: 101"),
        (f"{PATH}/stage", {"stage": "5"}, 422, "stage: '5'"),
        (f"{PATH}/stage", {}, 422, "stage"),
        (f"{PATH}/stage", {"stage": 5, "variant": "x"}, 422, "target: 'x'"),
        (f"{PATH}/stage", {"stage": 5, "colour": 1}, 422, "colour"),
        (f"{PATH}/stage", {"stage": 5, "reason": "short"}, 422, "reason"),
        ("flags/nope/stage", {"stage": 5}, 404, "nope"),
        (f"{PATH}/plan", {}, 422, "steps"),
        (f"{PATH}/plan", {"steps": [{"at": "soon", "stage": 5}]}, 422, "steps.at: 'soon'"),
        (f"{PATH}/plan", {"steps": [{"at": "2030-01-01T00:00:00"}]}, 422, "steps"),
        (f"{PATH}/plan", {"steps": [{"at": "2030-01-01", "stage": 5}]}, 422, "with its zone"),
        (f"{PATH}/freeze", {"until": "2030-01-01T00:00:00Z"}, 422, "within 14 days"),
        (f"{PATH}/thaw", {}, 422, "nothing to end"),
        ("flags/nope/thaw", {}, 404, "nope"),
        ("flags", {"key": "x", "variants": {"a": 1, "b": ""}}, 422, "variants"),
        ("flags", {"key": KEY, "variants": VARIANTS}, 422, "there already"),
        (f"{PATH}/delete", {"confirm": "x"}, 422, "confirm"),
        ("flags/cache.codec/delete", {"confirm": "cache.codec"}, 422, "release"),
        ("flags/cache.codec/edit", {"title": "x"}, 422, "release"),
    ],
)
def test_what_is_refused_says_why_and_changes_nothing(
    programs: dict[str, Client], path: str, fields: dict[str, object], status: int, says: str
) -> None:
    flag()
    before = AuditEntry.objects.count()
    answer = post(programs["admin"], path, **({"reason": WHY} | fields))
    assert (answer.status_code, says in answer.json()["detail"]) == (status, True), answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert AuditEntry.objects.count() == before


def test_what_nothing_reads_is_not_staged(programs: dict[str, Client]) -> None:
    flag("not.wired")
    Flag.objects.filter(key="not.wired").update(builtin=True, wired=False)
    answer = post(programs["admin"], "flags/not.wired/stage", stage=5, reason=WHY)
    assert (answer.status_code, "not wired yet" in answer.json()["detail"]) == (409, True)


def test_what_is_exported_is_taken_back_in_as_it_was(programs: dict[str, Client]) -> None:
    admin = programs["admin"]
    flag("base.codec")
    flag(requires=[{"flag": "base.codec", "variant": "new"}], layer="x", bake_s={"5": 60},
         metadata={"team": "blue"}, unit="time_slot", slot_s=7)  # fmt: skip
    flag("of.others", targeting={"if": [{"==": [{"var": "plan"}, "pro"]}, "new", "old"]})
    done(admin, f"{PATH.replace(KEY, 'base.codec')}/stage", stage=50)
    Flag.objects.filter(pk=KEY).update(stage=25)  # held
    document = programs["viewer"].get("/api/v1/flags/-/export").json()
    same = done(admin, "flags/-/import", document=document)
    assert (same["created"], same["edited"]) == ([], [])
    was = {row["key"]: row for row in Flag.objects.values()}
    Flag.objects.filter(builtin=False).delete()
    done(admin, "flags/cache.codec/stage", stage=50)
    brought = done(admin, "flags/-/import", document=document)
    assert sorted(brought["created"]) == ["base.codec", KEY, "of.others"]
    assert brought["edited"] == ["cache.codec"]
    stamped = {"revision", "changed_at", "staged_at", "reason", "actor"}
    for row in Flag.objects.values():
        before = was[row["key"]]
        assert {k: v for k, v in row.items() if k not in stamped} == {
            k: v for k, v in before.items() if k not in stamped
        }


def test_a_file_of_somebody_else_and_one_that_is_none(programs: dict[str, Client]) -> None:
    admin = programs["admin"]
    document: dict[str, Any] = {
        "flags": {
            "banner": {
                "state": "ENABLED",
                "variants": {"on": True, "off": False},
                "defaultVariant": "off",
                "targeting": {"fractional": [["on", 10], ["off", 90]]},
            }
        }
    }
    assert done(admin, "flags/-/import", document=document)["created"] == ["banner"]
    made = Flag.objects.get(pk="banner")
    assert (made.rest, made.baseline, made.stage, made.enabled) == ("off", "off", 0, True)
    assert made.targeting == document["flags"]["banner"]["targeting"]
    half = {"fine": document["flags"]["banner"], "broken": {"state": "MAYBE"}}
    for wrong, says in (
        ({"flags": half}, "flags.broken"),
        ({"flags": []}, "flags"),
        ({}, "flags"),
        ({"flags": {"A B": document["flags"]["banner"]}}, "key"),
        ({"flags": {}, "$evaluators": [1]}, "evaluators"),
        ({"flags": {"x": {"state": "ENABLED", "variants": {}}}}, "variants"),
        (
            {"flags": {"x": document["flags"]["banner"] | {"metadata": {"requires": "["}}}},
            "requires",
        ),
    ):
        answer = post(admin, "flags/-/import", reason=WHY, document=wrong)
        assert (answer.status_code, says in answer.json()["detail"]) == (422, True), answer.content
    assert not Flag.objects.filter(pk__in={"fine", "x"}).exists()


def test_each_optimisation_tells_its_decision_and_its_flags(programs: dict[str, Client]) -> None:
    rows = programs["viewer"].get("/api/v1/optimisations").json()["optimisations"]
    assert [(row["programme"], row["id"]) for row in rows] == [
        (one.programme, one.id) for one in decisions.optimisations()
    ]
    flags = {one["key"]: one for row in rows for one in row["flags"]}
    assert flags["cache.codec"]["words"] == "zstd-fast"
    assert all(one["words"] is not None for one in flags.values())
