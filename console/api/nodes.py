"""Nodes: how each answers and what it was caught at; add, order, cordon, remove and test them."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema, Status

from console import controls, fleetview
from console.access.audit import Actor
from console.access.tokens import Caller
from console.api.asked import COMMON, Asked, body
from console.api.auth import admin, operator, viewer
from console.api.problems import Problem
from console.api.wanted import audit_id_of
from console.controls import Order, names
from console.fleetview import Fleet, FleetNode, FleetNodes, WorkerNode
from validation.models import Catch
from validation.nodecheck import NodeTest

router = Router(tags=["Nodes"])
_CATCHES = 50


class CaughtAt(Schema):
    check: str
    count: int
    last_at: datetime


class Node(Schema):
    """One node by its label, which holds no credential; its URL is never told. `place` 1 is
    preferred to all. Figures are null where no worker that is up can say: times are the slowest
    worker's, counts since the processes started.
    """

    label: str
    place: int
    state: Literal["in_service", "cordoned", "caught", "unreachable"]
    in_service: bool
    from_environment: bool
    cordoned_at: datetime | None
    cordoned_by: str
    cordon_reason: str
    added_by: str
    added_at: datetime | None
    workers: int
    asked_by: int
    head: int | None
    head_age_s: float | None
    lag: int | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    score: float | None
    calls: int | None
    failures: dict[str, int]
    breakers: list[str]
    caught: list[CaughtAt]
    age_s: float | None


class NodeList(Schema):
    """In their order. `acknowledged` of `workers` obey `revision`; null, and `reachable` false:
    nobody could be asked.
    """

    nodes: list[Node]
    revision: int
    reachable: bool
    acknowledged: int | None
    workers: int | None


class OnWorker(Schema):
    """The node as one process sees it, by its word of `age_s` ago."""

    worker: str
    worker_state: Literal["up", "stale", "gone"]
    age_s: float
    label: str
    in_service: bool
    head: int | None
    head_age_s: float | None
    lag: int | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    score: float | None
    failures: dict[str, int]


class Caught(Schema):
    """What it said that an honest node cannot have said, and of which item of which run."""

    at: datetime
    check: str
    subject: str
    detail: str
    run_id: int | None
    ordinal: int | None


class NodeInFull(Node):
    """With each worker's word and its last catches, the newest first."""

    on_workers: list[OnWorker]
    catches: list[Caught]


class Changed(NodeList):
    """`audit_id` is the entry of this act, by which it can be taken back."""

    label: str
    audit_id: int | None


class Finding(Schema):
    name: str
    status: Literal["pass", "fail", "skip"]
    said: str


class Tested(Schema):
    """What the node could do just now, asked from the web process."""

    node: str
    passed: bool
    ms: float
    chain_id: int | None
    head: int | None
    finalized: int | None
    client_version: str
    latency_ms: float | None
    findings: list[Finding]


_CONFIRM = {
    "confirm": {"type": "string", "description": "Its label, where it is the last in service."}
}
_URL = {
    "url": {"type": "string", "maxLength": 2048, "description": "http or https; may hold a key"}
}
_WHY = {"reason": "The node answers with stale blocks"}
_PLAIN = body(COMMON, ("reason",), _WHY)
_CONFIRMED = body({**_CONFIRM, **COMMON}, ("reason",), _WHY)
_ADD = body({**_URL, **COMMON}, ("url", "reason"), {"url": "https://node.example/v3/key", **_WHY})
_TRY = body(_URL, ("url",), {"url": "https://node.example/v3/key"})
_ORDER = body(
    {"labels": {"type": "array", "items": {"type": "string"}, "description": "All, best first."},
     **COMMON},
    ("labels", "reason"),
    {"labels": ["node-b.example:443", "node-a.example:443"], **_WHY},
)  # fmt: skip


@router.get("/nodes", auth=viewer, response=NodeList, summary="List nodes")
def list_nodes(request: HttpRequest) -> dict[str, Any]:
    """Those of NODE_URLS and those that were added, also where no worker reports."""
    return _list()


@router.post(
    "/nodes", auth=admin, response={201: Changed}, openapi_extra=_ADD, summary="Add a node"
)
def add(request: HttpRequest) -> Status[dict[str, Any]]:
    """In service at once, last in the order. Private addresses are refused unless
    NODE_PRIVATE_NETWORKS lists them.
    """
    asked = Asked(request, "url", "reason", "revision")
    url = asked.text("url")
    order = controls.add_node(
        _actor(request), url, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return Status(201, _changed(controls.url_label(url), order))


@router.post(
    "/nodes/order", auth=admin, response=Changed, openapi_extra=_ORDER, summary="Order the nodes"
)
def order_nodes(request: HttpRequest) -> dict[str, Any]:
    """All labels, the preferred first."""
    asked = Asked(request, "labels", "reason", "revision")
    order = controls.order_nodes(
        _actor(request),
        asked.texts("labels"),
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
    )
    return _changed("", order)


@router.post("/nodes/test", auth=admin, response=Tested, openapi_extra=_TRY, summary="Test a URL")
def test_url(request: HttpRequest) -> dict[str, Any]:
    """As the test of a node, before it is added. Nothing is kept."""
    asked = Asked(request, "url")
    return _tested(controls.test_url(_actor(request), asked.text("url")))


# After `order` and `test`, which it would take for labels.
@router.get("/nodes/{label}", auth=viewer, response=NodeInFull, summary="Read a node")
def get_node(request: HttpRequest, label: str) -> dict[str, Any]:
    """`label` with `~` for `#`, as everywhere in addresses."""
    label = names.from_address(label)
    for found in fleetview.nodes().nodes:
        if found.label == label:
            catches = Catch.objects.filter(label=label)[:_CATCHES]
            return _row(found) | {
                "on_workers": [_on_worker(row) for row in found.rows],
                "catches": [_caught(catch) for catch in catches],
            }
    raise Problem(404, f"There is no node {label[:160]!r}: /api/v1/nodes lists them.")


@router.post(
    "/nodes/{label}/cordon",
    auth=operator,
    response=Changed,
    openapi_extra=_CONFIRMED,
    summary="Cordon a node",
)
def cordon(request: HttpRequest, label: str) -> dict[str, Any]:
    """No call goes to it until it is uncordoned. The last in service needs `confirm`: runs wait."""
    label, asked = names.from_address(label), Asked(request, "reason", "revision", "confirm")
    order = controls.cordon_node(
        _actor(request),
        label,
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
        confirm=asked.text("confirm", ""),
    )
    return _changed(label, order)


@router.post(
    "/nodes/{label}/uncordon",
    auth=operator,
    response=Changed,
    openapi_extra=_PLAIN,
    summary="Uncordon a node",
)
def uncordon(request: HttpRequest, label: str) -> dict[str, Any]:
    """It is asked again, whoever cordoned it."""
    label, asked = names.from_address(label), Asked(request, "reason", "revision")
    order = controls.uncordon_node(
        _actor(request), label, reason=asked.text("reason", ""), based_on=asked.revision()
    )
    return _changed(label, order)


@router.post(
    "/nodes/{label}/remove",
    auth=admin,
    response=Changed,
    openapi_extra=_CONFIRMED,
    summary="Remove a node",
)
def remove(request: HttpRequest, label: str) -> dict[str, Any]:
    """Only one that was added; it can be put back for a day, by its audit entry."""
    label, asked = names.from_address(label), Asked(request, "reason", "revision", "confirm")
    order = controls.remove_node(
        _actor(request),
        label,
        reason=asked.text("reason", ""),
        based_on=asked.revision(),
        confirm=asked.text("confirm", ""),
    )
    return _changed(label, order)


@router.post("/nodes/{label}/test", auth=operator, response=Tested, summary="Test a node")
def test_node(request: HttpRequest, label: str) -> dict[str, Any]:
    """Asks it now, for five seconds at most; 429 while two others test."""
    return _tested(controls.test_node(_actor(request), names.from_address(label)))


def _actor(request: HttpRequest) -> Actor:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    return Actor.by_api(caller)


def _list() -> dict[str, Any]:
    fleet: Fleet = fleetview.look()
    found: FleetNodes = fleetview.nodes(fleet)
    return {
        "nodes": [_row(node) for node in found.nodes],
        "revision": found.desired.revision,
        "reachable": fleet.reachable,
        "acknowledged": found.acknowledged if fleet.reachable else None,
        "workers": found.heard if fleet.reachable else None,
    }


def _changed(label: str, order: Order) -> dict[str, Any]:
    return _list() | {"label": label, "audit_id": audit_id_of(order.revision)}


_OF_PLACE = ("in_service", "cordoned_at", "cordoned_by", "cordon_reason", "added_by", "added_at")


def _row(node: FleetNode) -> dict[str, Any]:
    place = node.place
    own = set(Node.model_fields) - {*_OF_PLACE, "place", "from_environment", "caught"}
    return (
        {name: getattr(node, name) for name in own}
        | {name: getattr(place, name) for name in _OF_PLACE}
        | {
            "place": place.place,
            "from_environment": place.is_from_environment,
            "caught": [
                {"check": one.check, "count": one.count, "last_at": one.last_at}
                for one in node.caught
            ],
        }
    )


def _on_worker(row: WorkerNode) -> dict[str, Any]:
    return msgspec.structs.asdict(row.report) | {
        "worker": row.worker.id,
        "worker_state": row.worker.state,
        "age_s": row.age_s,
    }


def _caught(catch: Catch) -> dict[str, Any]:
    return {
        "at": catch.caught_at,
        "check": catch.check_name,
        "subject": catch.subject,
        "detail": catch.detail,
        "run_id": catch.run_id,
        "ordinal": catch.ordinal,
    }


def _tested(tested: NodeTest) -> dict[str, Any]:
    return msgspec.structs.asdict(tested) | {
        "passed": tested.passed,
        "findings": [msgspec.structs.asdict(finding) for finding in tested.findings],
    }
