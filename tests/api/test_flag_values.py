"""Values that no database keeps, or no reader reads, are refused by the API, never a 500."""

import pytest
from django.test import Client

from console.flags.models import Flag
from tests.flags.made import WHY

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "variants",
    [
        '{"a": 1%s, "b": 2}' % ("0" * 30),
        '{"a": "\\ud800", "b": "x"}',
        '{"a": NaN, "b": 2.0}',
        '{"a": 1e400, "b": 2.0}',
        '{"a": 1, "a": 2, "b": 3}',
        '{"a": "\\u0000", "b": "x"}',
    ],
    ids=["long", "surrogate", "nan", "infinite", "twice", "zero"],
)
def test_what_cannot_be_kept_is_refused(programs: dict[str, Client], variants: str) -> None:
    body = f'{{"key": "v", "reason": "{WHY}", "variants": {variants}}}'
    answer = programs["admin"].post("/api/v1/flags", body, content_type="application/json")
    assert answer.status_code == 422, answer.content
    assert not Flag.objects.filter(pk="v").exists()


def test_half_a_character_in_plain_bytes_is_no_text(programs: dict[str, Client]) -> None:
    body = b'{"key": "v", "variants": {"a": "\xed\xa0\x80", "b": "x"}}'
    answer = programs["admin"].generic("POST", "/api/v1/flags", body, "application/json")
    assert answer.status_code == 422, answer.content


def test_a_file_of_some_hundred_flags_is_taken(programs: dict[str, Client]) -> None:
    """More than other bodies hold."""
    one = {"state": "ENABLED", "variants": {"off": False, "on": True}, "defaultVariant": "off"}
    one["metadata"] = {"description": "x" * 400}
    document = {"flags": {f"shop.f{n}": one for n in range(200)}}
    answer = programs["admin"].post(
        "/api/v1/flags/-/import",
        {"document": document, "reason": WHY},
        content_type="application/json",
    )
    assert answer.status_code == 200, answer.content[:300]
    assert len(answer.json()["created"]) == 200
