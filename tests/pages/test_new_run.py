"""Starting a validation: three sources, and errors that keep what was given."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from tests.pages.conftest import Page
from validation.models import Item, Run, RunState

See = Callable[..., Page]
NEW = "/validations/new/"
HASH = "0x" + "ab" * 32


def _post(client: Client, status: int = 302, **fields: object) -> Page:
    given = {"source": "paste", "text": "", "level": "", "title": ""} | fields
    response = client.post(NEW, given)
    assert response.status_code == status, response.content[:3_000]
    return Page(response.content.decode())


def _subjects() -> list[str]:
    run = Run.objects.get()
    return list(
        Item.objects.filter(run_id=run.pk).order_by("ordinal").values_list("subject", flat=True)
    )


def test_pasted_lines_start(operator: Client) -> None:
    _post(operator, text=f"{HASH}\n\n# a comment\nblock:7\n", level="1", title=" My run ")
    run = Run.objects.get()
    assert (run.state, run.level, run.title, run.origin) == (RunState.RUNNING, 1, "My run", "page")
    assert run.created_by is not None
    assert _subjects() == [f"tx:{HASH}", "block:7"]


def test_a_range_starts(operator: Client) -> None:
    _post(operator, source="range", first="10", last="12")
    assert _subjects() == ["block:10", "block:11", "block:12"]
    assert Run.objects.get().level is None


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("a.csv", b"subject,note\nblock:1,x\nblock:2,y\n"),
        ("a.ndjson", b'"block:1"\n{"subject": "block:2"}\n'),
        ("a.txt", b"\xef\xbb\xbfblock:1\r\nblock:2"),
    ],
)
def test_a_file_starts(operator: Client, name: str, body: bytes) -> None:
    _post(operator, source="file", file=SimpleUploadedFile(name, body))
    assert _subjects() == ["block:1", "block:2"]


def test_only_the_chosen_source_counts(operator: Client) -> None:
    _post(operator, source="range", first="1", last="1", text="this is nonsense")
    assert _subjects() == ["block:1"]


@pytest.mark.parametrize(
    ("fields", "said", "kept"),
    [
        ({"text": "   "}, "Paste at least one subject", ""),
        ({"text": "nonsense"}, "This is no subject.", "nonsense"),
        ({"text": "nonsense\nmore"}, "None of the 2 lines is a subject.", "nonsense"),
        ({"text": "# only a comment"}, "There is nothing to validate", "# only a comment"),
        ({"source": "file"}, "Choose a file", ""),
        ({"source": "range", "first": "9", "last": "3"}, "comes before the first, 9", "9"),
        ({"source": "range", "first": "", "last": "3"}, "Give the first block", "3"),
        ({"source": "range", "first": "x", "last": "3"}, "First: Enter a whole number", "x"),
        (
            {"source": "range", "first": "0", "last": "9000000"},
            "more than a range may hold",
            "9000000",
        ),
        ({"text": "block:1", "level": "7"}, "7 is not one of the available choices", "block:1"),
        ({"text": "block:1", "title": "t" * 201}, "at most 200 characters", "block:1"),
        ({"text": "block:1", "source": "fax"}, "Nothing was started", "block:1"),
    ],
)
def test_errors_keep_what_was_given(
    operator: Client, fields: dict[str, str], said: str, kept: str
) -> None:
    page = _post(operator, 422, **fields)
    assert said in page.text
    assert kept in page.html
    assert not Run.objects.exists()


def test_an_empty_file_is_refused(operator: Client) -> None:
    page = _post(operator, 422, source="file", file=SimpleUploadedFile("a.csv", b""))
    assert "a.csv is empty" in page.text
    assert "Choose the file again" in page.text


def test_malformed_lines_make_a_draft(operator: Client, see: See) -> None:
    _post(operator, text="block:1\nnot<a>subject\nblock:2\n")
    run = Run.objects.get()
    assert run.state == RunState.DRAFT
    page = see(operator, f"/validations/{run.pk}/")
    assert "Start the 2 good ones" in page.text
    assert "line 2" in page.html or ">2</td>" in page.html
    assert "not<a>subject" in page.text
    assert f"/validations/{run.pk}/discard/" in page.hrefs()


def test_a_malformed_line_of_a_binary_file_makes_a_draft_too(operator: Client, see: See) -> None:
    file = SimpleUploadedFile("a.bin", b"block:1\na\x00b")
    _post(operator, source="file", file=file)
    page = see(operator, f"/validations/{Run.objects.get().pk}/")
    assert "a\ufffdb" in page.text


def test_the_preview_counts(operator: Client) -> None:
    text = f"{HASH}\nblock:1-1000\nnonsense"
    response = operator.post(f"{NEW}preview/", {"text": text}, headers={"HX-Request": "true"})
    page = Page(response.content.decode())
    assert "1 001 items" in page.text
    assert "1 000 blocks, 1 transaction" in page.text
    assert "1 malformed line" in page.text
    assert "line 3" in page.text
    assert page.tags[0][1]["id"] == "preview"
    assert not Run.objects.exists()


@pytest.mark.parametrize("text", ["block:1-5000000", "7\n" * 50_001, "block:1-50000\nnonsense"])
def test_the_preview_stops_counting(operator: Client, text: str) -> None:
    response = operator.post(f"{NEW}preview/", {"text": text}, headers={"HX-Request": "true"})
    said = Page(response.content.decode()).text
    assert "more than 50 000 items : 50 000 blocks" in said
    assert "the rest is counted when you start" in said


def test_a_preview_that_is_whole_says_so(operator: Client) -> None:
    given = {"text": "block:1-50000"}
    response = operator.post(f"{NEW}preview/", given, headers={"HX-Request": "true"})
    said = Page(response.content.decode()).text
    assert "50 000 items : 50 000 blocks" in said
    assert "more than" not in said


def test_the_preview_of_nothing_says_nothing(operator: Client) -> None:
    response = operator.post(f"{NEW}preview/", {"text": ""}, headers={"HX-Request": "true"})
    assert Page(response.content.decode()).text == ""


def test_a_viewer_cannot_start(viewer: Client) -> None:
    assert viewer.get(NEW).status_code == 403
    assert viewer.post(NEW, {"source": "paste", "text": "block:1"}).status_code == 403
    assert not Run.objects.exists()
