"""Values that no database keeps, or no reader reads: the page and its files refuse them, no 500."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from console.flags import flagd_file
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
def test_what_cannot_be_kept_is_refused(clients: dict[str, Client], variants: str) -> None:
    sent = {"key": "v", "definition": f'{{"variants": {variants}}}', "reason": WHY}
    page = clients["admin"].post("/flags/-/add/", sent)
    assert page.status_code == 422, page.content
    file = f'{{"flags": {{"v": {{"state": "ENABLED", "variants": {variants}}}}}}}'
    page = clients["admin"].post("/flags/-/import/", {"definition": file, "reason": WHY})
    assert page.status_code == 422, page.content
    assert not Flag.objects.filter(pk="v").exists()


def test_a_file_that_is_too_large_or_no_text_says_so(clients: dict[str, Client]) -> None:
    large = b" " * (flagd_file.LARGEST + 1)
    for raw, says in ((large, f"{len(large)} bytes"), (b'{"flags": "\xe9"}', "UTF-8")):
        sent = {"file": SimpleUploadedFile("flags.json", raw), "reason": WHY}
        page = clients["admin"].post("/flags/-/import/", sent)
        assert (page.status_code, says in page.content.decode()) == (422, True), says
