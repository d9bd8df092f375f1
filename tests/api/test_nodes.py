"""Nodes by API: listed without a key, acted on with the roles and refusals of the pages."""

import json
from typing import Any

import pytest
from django.test import Client

from console import controls
from console.access.models import AuditEntry
from console.controls import turns
from monitoring import snapshots
from monitoring.snapshots import NodeReport
from tests.controls.conftest import WHY, actor, worker
from validation.models import Catch, Run
from validation.nodecheck import Finding, NodeTest

pytestmark = pytest.mark.django_db
OWN = "127.0.0.1:9"
KEY = "hunter2verysecret"
SECRET = f"http://127.0.0.1:10/v3/{KEY}"


def post(client: Client, path: str, **fields: object) -> Any:
    return client.post(f"/api/v1/{path}", json.dumps(fields), content_type="application/json")


def added(client: Client, **more: object) -> dict[str, Any]:
    answer = post(client, "nodes", url=SECRET, reason=WHY, **more)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def test_a_node_is_added_listed_cordoned_and_removed_without_its_key(
    programs: dict[str, Client],
) -> None:
    made = added(programs["admin"], revision=0)
    label, path = made["label"], made["label"].replace("#", "~")
    assert [node["label"] for node in made["nodes"]] == [OWN, label]
    assert AuditEntry.objects.get(pk=made["audit_id"]).target == label
    done = post(programs["operator"], f"nodes/{path}/cordon", reason=WHY)
    assert done.json()["nodes"][1] | {"cordoned_at": None} == made["nodes"][1] | {
        "state": "cordoned", "in_service": False, "cordoned_by": "operator", "cordon_reason": WHY,
    }  # fmt: skip
    back = post(programs["operator"], f"audit/{done.json()['audit_id']}/revert", reason=WHY)
    assert back.json()["target"] == label
    order = post(programs["admin"], "nodes/order", labels=[label, OWN], reason=WHY)
    assert [node["label"] for node in order.json()["nodes"]] == [label, OWN]
    gone = post(programs["admin"], f"nodes/{path}/remove", reason=WHY)
    assert [node["label"] for node in gone.json()["nodes"]] == [OWN]
    assert programs["viewer"].get(f"/api/v1/nodes/{path}").status_code == 404
    for answer in (done, back, order, gone):
        assert KEY not in answer.content.decode()


def test_one_node_tells_its_figures_its_workers_and_what_it_was_caught_at(
    programs: dict[str, Client],
) -> None:
    said = NodeReport(label=OWN, in_service=True, head=7, head_age_s=1.0, lag=0, score=0.9)
    snapshots.publish(worker(nodes=(said,), acknowledged=0))
    Catch.objects.create(label=OWN, subject="block:1", check_name="header_hash", detail="no")
    found = programs["viewer"].get(f"/api/v1/nodes/{OWN}").json()
    assert (found["state"], found["head"], found["workers"], found["asked_by"]) == (
        "caught", 7, 1, 1,
    )  # fmt: skip
    assert found["caught"][0]["check"] == "header_hash"
    assert found["catches"][0]["subject"] == "block:1"
    assert found["on_workers"][0]["worker"] == "host:1"
    assert found["latency_p95_ms"] is None


def test_the_wish_is_told_also_where_nobody_can_be_asked(
    programs: dict[str, Client], no_valkey: None
) -> None:
    found = programs["viewer"].get("/api/v1/nodes").json()
    assert (found["reachable"], found["workers"], found["nodes"][0]["head"]) == (False, None, None)


@pytest.mark.parametrize(
    ("fields", "status", "says"),
    [
        ({"url": f"ftp://{KEY}@node.example", "reason": WHY}, 422, "url"),
        ({"url": f"http://10.0.0.7/{KEY}", "reason": WHY}, 422, "NODE_PRIVATE_NETWORKS"),
        ({"url": SECRET, "reason": "short"}, 422, "reason"),
        ({"url": SECRET, "reason": WHY, "revision": 77}, 409, "revision 77"),
        ({"reason": WHY}, 422, "url"),
        ({"url": SECRET, "reason": WHY, "key": 1}, 422, "key"),
    ],
)
def test_what_is_refused_says_why_and_holds_no_key(
    programs: dict[str, Client], fields: dict[str, object], status: int, says: str
) -> None:
    answer = post(programs["admin"], "nodes", **fields)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    assert says in answer.json()["detail"]
    assert KEY not in answer.content.decode()


def test_what_is_no_node_is_not_found_and_the_last_needs_its_name(
    programs: dict[str, Client],
) -> None:
    assert post(programs["operator"], "nodes/x:1/cordon", reason=WHY).status_code == 404
    assert post(programs["operator"], f"nodes/{OWN}/cordon", reason=WHY).status_code == 422
    done = post(programs["operator"], f"nodes/{OWN}/cordon", reason=WHY, confirm=OWN)
    assert done.status_code == 200
    refused = post(programs["admin"], f"nodes/{OWN}/remove", reason=WHY)
    assert "NODE_URLS" in refused.json()["detail"]


def test_a_test_tells_each_finding_and_waits_for_nobody(
    programs: dict[str, Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    finding = Finding(name="proofs", status="fail", said="Does not serve eth_getProof.")
    told = NodeTest(node=OWN, ms=1.0, findings=(finding,))
    monkeypatch.setattr("validation.nodecheck.examine", lambda *_, **__: told)
    answer = programs["operator"].post(f"/api/v1/nodes/{OWN}/test").json()
    assert (answer["passed"], answer["findings"][0]["name"]) == (False, "proofs")
    assert post(programs["admin"], "nodes/test", url=SECRET).status_code == 200
    with turns.turn(), turns.turn():
        for act in ("test", "drill"):
            busy = programs["operator"].post(f"/api/v1/nodes/{OWN}/{act}")
            assert (busy.status_code, busy["Retry-After"]) == (429, "5")


def test_agreement_is_asked_for_within_the_nodes_in_service(operator: Client) -> None:
    for asked in (1, 0, 65, True, "2"):
        answer = post(operator, "runs", items=["block:1"], agreement=asked)
        assert answer.status_code == 422
        assert "agreement" in answer.json()["detail"]
    answer = post(operator, "runs", items=["block:1"], agreement=2)
    assert answer.status_code == 422
    assert "1 node is in service" in answer.json()["detail"]
    controls.add_node(actor("admin"), SECRET, reason=WHY)
    answer = post(operator, "runs", items=["block:1"], agreement=2)
    assert answer.status_code == 202
    assert Run.objects.get(pk=answer.json()["id"]).agreement == 2
    assert operator.get("/api/v1/runs").json()["runs"][0]["agreement"] == 2
    lines = operator.post("/api/v1/runs?agreement=2", "block:1\n", content_type="text/plain")
    assert Run.objects.get(pk=lines.json()["id"]).agreement == 2
