"""POST /api/v1/runs in every form it takes, and every way it refuses."""

import json
from hashlib import sha256
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from validation.models import Item, Run

RUNS = "/api/v1/runs"


def post(
    client: Client,
    body: Any,
    content_type: str = "application/json",
    query: str = "",
    **headers: str,
) -> Any:
    if content_type == "application/json" and not isinstance(body, str | bytes):
        body = json.dumps(body)
    return client.post(f"{RUNS}{query}", body, content_type=content_type, headers=headers)


def subjects() -> list[str]:
    return list(Item.objects.order_by("ordinal").values_list("subject", flat=True))


def test_a_list_of_items_starts_a_run(operator: Client) -> None:
    response = post(operator, {"items": ["block:1-3", "head"], "level": 1, "title": "mine"})
    assert response.status_code == 202
    run = Run.objects.get()
    assert response.json() == {"id": run.pk, "total": 4, "url": f"http://testserver{RUNS}/{run.pk}"}
    assert response["Location"] == response.json()["url"]
    assert (run.level, run.title, run.origin, run.state) == (1, "mine", "api", "running")
    assert run.created_by is not None
    assert run.created_by.username == "operator"
    assert subjects() == ["block:1", "block:2", "block:3", "head"]


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("application/x-ndjson", '"block:1"\n{"subject": "head"}\n'),
        ("text/csv", "subject\nblock:1\nhead\n"),
        ("text/plain", "block:1\nhead"),
    ],
)
@pytest.mark.parametrize("key", ["", "again"])
def test_lines_come_in_three_forms(
    operator: Client, content_type: str, body: str, key: str
) -> None:
    headers = {"Idempotency-Key": key} if key else {}
    response = post(operator, body, content_type, "?level=0&title=lines", **headers)
    assert response.status_code == 202
    assert subjects() == ["block:1", "head"]
    assert Run.objects.get().level == 0
    assert Run.objects.get().title == "lines"


def test_a_form_uploads_a_file(operator: Client) -> None:
    file = SimpleUploadedFile("items.csv", b"subject\nblock:7\n", "text/csv")
    response = operator.post(RUNS, {"file": file, "level": "2", "title": "file"})
    assert response.status_code == 202
    assert subjects() == ["block:7"]
    assert Run.objects.get().level == 2


def test_a_form_without_its_file_says_which_field_is_missing(operator: Client) -> None:
    response = operator.post(RUNS, {"level": "2"})
    assert response.status_code == 422
    assert "`file`" in response.json()["detail"]


def test_malformed_lines_are_listed_and_nothing_starts(operator: Client) -> None:
    response = post(operator, "block:1\ntx:0xzz\nnonsense\n", "text/plain")
    problem = response.json()
    assert response.status_code == 422
    assert response["Content-Type"] == "application/problem+json"
    assert [(m["line"], m["text"]) for m in problem["malformed"]] == [
        (2, "tx:0xzz"),
        (3, "nonsense"),
    ]
    assert all(m["reason"] for m in problem["malformed"])
    assert problem["malformed_count"] == 2
    assert not Run.objects.exists()
    assert not Item.objects.exists()


def test_the_report_is_bounded(operator: Client) -> None:
    problem = post(operator, "nonsense\n" * 3_000, "text/plain").json()
    assert problem["malformed_count"] == 3_000
    assert len(problem["malformed"]) == 1_000


def test_accept_valid_starts_the_good_ones(operator: Client) -> None:
    response = post(operator, {"items": ["block:1", "nonsense"]}, query="?accept=valid")
    assert response.status_code == 202
    assert response.json()["total"] == 1
    assert Run.objects.get().malformed_count == 1


@pytest.mark.parametrize("strange", ["\x00", "\ud800"])
@pytest.mark.parametrize(("query", "status"), [("", 422), ("?accept=valid", 202)])
def test_characters_that_cannot_be_kept_are_replaced(
    operator: Client, strange: str, query: str, status: int
) -> None:
    response = post(operator, {"items": ["block:1", f"a{strange}b"]}, query=query)
    assert response.status_code == status
    kept = Run.objects.get().malformed if query else response.json()["malformed"]
    assert [(m["line"], m["text"]) for m in kept] == [(2, "a\ufffdb")]


@pytest.mark.parametrize(
    "body",
    [
        {"items": ["head"], "title": "a\ud800b"},
        {"items": ["head"], "level": "\ud800"},
        {"items": ["head"], "\ud800": 1},
    ],
)
def test_a_refusal_can_name_what_utf8_cannot_write(operator: Client, body: object) -> None:
    response = post(operator, body)
    assert response.status_code == 422
    assert response.json()["detail"]


@pytest.mark.parametrize("level", [-1, 6, 2.5, "high", True, "2"])
def test_a_level_that_is_none_is_named_with_its_value(operator: Client, level: object) -> None:
    response = post(operator, {"items": ["head"], "level": level})
    assert response.status_code == 422
    assert "level" in response.json()["detail"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("level", ["6", "-1", "x", "1e3"])
def test_the_querys_level_too(operator: Client, level: str) -> None:
    problem = post(operator, "head", "text/plain", f"?level={level}").json()
    assert problem["status"] == 422
    assert problem["errors"] == [
        {"field": "level", "value": level, "expected": "a level from 0 to 5"}
    ]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ('{"items": ["head"], "level": NaN}', "NaN"),
        ('{"items": ["head"], "level": 1e400}', "1e400"),
        ('{"items": ["head"], "items": []}', "'items' is there twice"),
        ('{"items": ["head"], "colour": 1}', "colour"),
        ('{"items": "head"}', "items: 'head' is not a list of texts"),
        ('{"items": ["head", 1]}', "items[1]: 1 is not a text"),
        ('{"items": []}', "nothing to validate"),
        ('{"level": 1}', "items"),
        ("[" * 100_000, "nested too deeply"),
        ('{"items": ["head"], "title": 7}', "title: 7 is not a text"),
        ('["head"]', "The body is a list"),
        ("null", "The body is null"),
        ("{", "no JSON"),
        (b"\xff\xfe{", "no JSON"),
        ('{"items": ["head"], "title": "' + "x" * 201 + '"}', "title"),
        ('{"items": ["head"], "title": "a\\u0000b"}', "title"),
        ('{"items": ["block:1-99999999"]}', "block:1-99999999"),
    ],
)
def test_a_body_that_is_not_understood_says_what_in_it(
    operator: Client, body: str | bytes, says: str
) -> None:
    response = post(operator, body)
    assert response.status_code == 422
    assert says in response.content.decode()
    assert not Run.objects.exists()


def test_bodies_are_bounded(operator: Client, settings: Any) -> None:
    big = json.dumps({"items": ["head"], "title": "x" * (17 * 2**20)})
    assert post(operator, big).status_code == 413
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1_000_000
    response = post(operator, "head\n" * 300_000, "text/plain")
    assert response.status_code == 413
    assert not Run.objects.exists()


def test_another_type_is_refused_with_those_that_are_taken(operator: Client) -> None:
    problem = post(operator, "<items/>", "application/xml").json()
    assert problem["status"] == 415
    assert "Content-Type 'application/xml' is not taken" in problem["detail"]
    assert "application/x-ndjson" in problem["accepted"]


def test_a_body_without_a_type_is_told_which_header_is_missing(operator: Client) -> None:
    response = operator.generic("POST", RUNS, "head", content_type="")
    assert response.status_code == 415
    assert "no Content-Type" in response.json()["detail"]


def test_the_same_key_starts_once_whatever_the_form(operator: Client) -> None:
    first = post(operator, {"items": ["head"]}, **{"Idempotency-Key": "k"})
    # As the release before agreement had it: a request may be repeated across an upgrade.
    body = sha256(json.dumps({"items": ["head"]}).encode()).hexdigest()
    digest = sha256(repr((body, None, "", False)).encode()).hexdigest()
    assert Run.objects.get().request_digest == digest
    again = post(operator, {"items": ["head"]}, **{"Idempotency-Key": "k"})
    assert first.json() == again.json()
    assert again.status_code == 202
    assert Run.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "query"), [({"items": ["block:1"]}, ""), ({"items": ["head"]}, "?level=1")]
)
def test_the_same_key_for_another_request_is_a_conflict(
    operator: Client, body: object, query: str
) -> None:
    post(operator, {"items": ["head"]}, **{"Idempotency-Key": "k"})
    response = post(operator, body, query=query, **{"Idempotency-Key": "k"})
    assert response.status_code == 409
    assert "new key" in response.json()["detail"]
    assert Run.objects.count() == 1


def test_two_people_may_use_one_key(programs: dict[str, Client]) -> None:
    for role in ("operator", "admin"):
        assert (
            post(programs[role], {"items": ["head"]}, **{"Idempotency-Key": "k"}).status_code == 202
        )
    assert Run.objects.count() == 2


def test_a_key_that_is_too_long_is_refused(operator: Client) -> None:
    response = post(operator, {"items": ["head"]}, **{"Idempotency-Key": "k" * 201})
    assert response.status_code == 422
    assert "Idempotency-Key" in response.json()["detail"]


def test_an_unknown_accept_is_refused(operator: Client) -> None:
    assert post(operator, {"items": ["head"]}, query="?accept=all").status_code == 422
