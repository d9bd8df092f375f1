"""The OpenAPI document is true: schemathesis throws at the API what the document allows."""

import dataclasses
import json
from typing import Any
from urllib.parse import urlencode

import jsonschema_rs
import msgspec
import pytest
import schemathesis
from django.test import Client
from hypothesis import HealthCheck, settings

from console.api.breakers import OnWorker
from console.api.caches import CacheOnWorker
from console.api.flag_rows import FlagOnWorker
from console.api.pools import PoolOnWorker
from console.api.runs import RunProgress
from console.api.schema import openapi_document
from console.api.urls import api
from console.api.workers import Memory, Worker
from monitoring.snapshots import (
    BreakerReport,
    CacheReport,
    FlagReport,
    MemoryReport,
    PoolReport,
    WorkerSnapshot,
)
from validation.services import Progress

DOCUMENT = openapi_document(api)
type Case = schemathesis.Case[Any]

schema = schemathesis.openapi.from_dict(DOCUMENT)


@schemathesis.serializer("application/x-ndjson")
def ndjson(_context: object, value: object) -> bytes:
    return str(value).encode()


def test_every_operation_says_its_role_and_its_problems() -> None:
    for methods in DOCUMENT["paths"].values():
        for operation in methods.values():
            assert operation["x-role"] in {"viewer", "operator", "admin"}
            assert {"401", "403", "503"} <= set(operation["responses"])


def test_who_asks_a_node_is_told_to_wait_and_what_a_node_may_fail_at() -> None:
    paths = DOCUMENT["paths"]
    for asks in ("nodes", "nodes/test", "nodes/{label}/test", "nodes/{label}/drill"):
        assert "429" in paths[f"/api/v1/{asks}"]["post"]["responses"]
    assert "502" in paths["/api/v1/nodes/{label}/drill"]["post"]["responses"]
    proof = paths["/api/v1/runs/{run_id}/items/{ordinal}/proof"]["get"]["responses"]
    assert set(proof["200"]["content"]) == {"application/json"}


def test_the_document_leaves_out_nothing_that_is_known() -> None:
    progress = {field.name for field in dataclasses.fields(Progress)}
    assert set(RunProgress.model_fields) == progress
    snapshot = {field.name for field in msgspec.structs.fields(WorkerSnapshot)}
    elsewhere = {"breakers", "pools", "cache", "nodes", "flags"}
    assert set(Worker.model_fields) == (snapshot - elsewhere) | {"state"}
    assert set(Memory.model_fields) == set(MemoryReport.__struct_fields__)
    assert set(FlagReport.__struct_fields__) - {"key"} <= set(FlagOnWorker.model_fields)
    for told, report in ((OnWorker, BreakerReport), (PoolOnWorker, PoolReport)):
        fields = {field.name for field in msgspec.structs.fields(report)}
        assert fields - {"name", "transitions"} <= set(told.model_fields)
    cache = {field.name for field in msgspec.structs.fields(CacheReport)}
    assert cache - {"kinds", "revision"} <= set(CacheOnWorker.model_fields)


def test_the_document_and_its_page_are_served(operator: Client, clients: dict[str, Client]) -> None:
    assert operator.get("/api/v1/openapi.json").json() == DOCUMENT
    page = clients["viewer"].get("/api/v1/docs").content.decode()
    assert all(path in page for path in DOCUMENT["paths"])
    assert "http://" not in page.replace("http://testserver", "")
    assert clients["anonymous"].get("/api/v1/docs").status_code == 302


def _is_bare(found: Any) -> bool:
    """A GET that takes nothing: each example of it is the same call, but for other methods."""
    raw = found.operation.definition.raw
    return found.operation.method == "get" and not raw.get("parameters")


_ALL: dict[str, Any] = {
    "deadline": None,
    "derandomize": True,
    "suppress_health_check": [HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
}


@schema.exclude(_is_bare).parametrize()
@settings(max_examples=12, **_ALL)
def test_answers_are_those_that_the_document_names(case: Case, operator: Client) -> None:
    _holds(case, operator)


@schema.include(_is_bare).parametrize()
@settings(max_examples=4, **_ALL)
def test_what_takes_nothing_answers_as_the_document_says(case: Case, operator: Client) -> None:
    _holds(case, operator)


def _holds(case: Case, operator: Client) -> None:
    request = case.as_transport_kwargs(base_url="http://testserver")
    response = operator.generic(
        case.method,
        case.formatted_path,
        data=_body(case),
        content_type=case.media_type or "application/octet-stream",
        query_string=urlencode(request.get("params") or {}, doseq=True),
        headers={"Idempotency-Key": str(dict(case.headers or {}).get("Idempotency-Key", ""))},
    )
    if response.status_code == 405:
        # It also tries methods that an address does not have.
        assert case.method not in response["Allow"].split(", ")
        return
    answers: dict[str, Any] = case.operation.definition.raw["responses"]
    if str(response.status_code) not in answers:
        pytest.fail(f"{case.method} {case.formatted_path}: {response.status_code} is not described")
    content: dict[str, Any] = answers[str(response.status_code)].get("content", {})
    said = response["Content-Type"].split(";")[0]
    assert said in content
    if said.endswith("json") and "schema" in content[said]:
        rooted = {**content[said]["schema"], "components": DOCUMENT["components"]}
        jsonschema_rs.validate(rooted, response.json())


def _body(case: Case) -> str | bytes:
    body = case.body
    if isinstance(body, str | bytes):
        return body
    return json.dumps(body, default=str) if isinstance(body, dict | list) else b""
