import ast
import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.db import OperationalError, connection
from django.http import StreamingHttpResponse
from django.test import Client

from console import exports
from console.exports import cell, stream_results
from console.flags import web
from validation import services
from validation.models import Anchor, Result, Retraction, Run

CONSOLE = Path(exports.__file__).parent


def read(response: StreamingHttpResponse) -> bytes:
    return b"".join(response)


@pytest.fixture
def small_pages() -> Iterator[None]:
    with patch.object(exports, "PAGE", 2):
        yield


@pytest.mark.parametrize("count", [0, 1, 2, 3, 7])
@pytest.mark.usefixtures("small_pages")
def test_every_result_comes_once_in_order_in_each_form(
    finished_run: Callable[..., Run],
    count: int,
) -> None:
    run = finished_run(count)
    wanted = [f"block:{n}" for n in range(count)]
    lines = read(stream_results(run, "ndjson")).splitlines()
    assert [json.loads(line)["subject"] for line in lines] == wanted
    assert [row["subject"] for row in json.loads(read(stream_results(run, "json")))] == wanted
    rows = list(csv.DictReader(read(stream_results(run, "csv")).decode().splitlines()))
    assert [row["subject"] for row in rows] == wanted
    assert all(row["checks"] == "hash:pass" for row in rows)
    assert all((row["source"], row["block_hash"]) == ("node", "") for row in rows)


@pytest.mark.django_db(transaction=True)
def test_no_connection_is_held_between_pages(finished_run: Callable[..., Run]) -> None:
    with patch.object(exports, "PAGE", 2):
        stream = iter(stream_results(finished_run(5), "ndjson"))
        next(stream)  # the opening, before anything is read
        for _ in range(3):
            assert next(stream)
            assert connection.connection is None


def test_a_failure_in_the_middle_is_no_end(finished_run: Callable[..., Run]) -> None:
    run = finished_run(3)
    page = services.results_page(run, limit=2)
    with patch("validation.services.results_page", side_effect=[page, OperationalError("gone")]):
        stream = iter(stream_results(run, "ndjson"))
        assert [next(stream), next(stream)][1]
        with pytest.raises(OperationalError):
            next(stream)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_a_cell_that_a_spreadsheet_would_calculate_is_neutralised(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", ["block:1", "0x-1", "", -1.5, 7])
def test_other_cells_stay_as_they_are(value: object) -> None:
    assert cell(value) == value


@pytest.mark.parametrize("form", ["ndjson", "csv", "json", "xml"])
def test_a_page_links_to_each_form(
    clients: dict[str, Client],
    finished_run: Callable[..., Run],
    form: str,
) -> None:
    run = finished_run(1)
    response = clients["viewer"].get(f"/validations/{run.pk}/results.{form}")
    assert response.status_code == (404 if form == "xml" else 200)
    if form != "xml":
        assert response["Content-Disposition"] == f'attachment; filename="V-{run.pk}.{form}"'
        read(response)  # type: ignore[arg-type]


def test_only_three_modules_stream() -> None:
    """A stream in a view would hold a thread and a connection for as long as its client likes."""
    named = {
        path.relative_to(CONSOLE).as_posix()
        for path in CONSOLE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name | ast.Attribute | ast.alias)
        and "StreamingHttpResponse" in ast.unparse(node)
    }
    assert named == {"exports.py"}
    streams = {
        path.relative_to(CONSOLE).as_posix()
        for path in CONSOLE.rglob("*.py")
        if "text/event-stream" in path.read_text()
    }
    assert streams == {"sse.py", "flags/ofrep/streams.py"}


def test_each_form_tells_source_age_and_the_block_that_a_verdict_rests_on(
    finished_run: Callable[..., Run],
) -> None:
    run = finished_run(3)
    Result.objects.filter(run=run, ordinal=1).update(source="l1", age_s=2.5)
    tied: dict[str, Any] = {"number": 7, "hash": "0x" + "a7" * 32}
    Anchor.objects.create(run=run, ordinal=1, block_number=7, block_hash=tied["hash"])
    gone: dict[str, Any] = {"number": 9, "hash": "0x" + "a9" * 32}
    Retraction.objects.create(
        run=run, ordinal=2, verdict="valid", level=2, reason="ok", block_number=9,
        block_hash=gone["hash"],
    )  # fmt: skip
    objects = [json.loads(line) for line in read(stream_results(run, "ndjson")).splitlines()]
    assert objects == json.loads(read(stream_results(run, "json")))
    assert [(o["source"], o["age_s"], o["block"]) for o in objects] == [
        ("node", 0.0, None), ("l1", 2.5, tied), ("node", 0.0, gone),
    ]  # fmt: skip
    rows = list(csv.DictReader(read(stream_results(run, "csv")).decode().splitlines()))
    assert [(r["source"], r["age_s"], r["block_number"], r["block_hash"]) for r in rows] == [
        ("node", "0.0", "", ""),
        ("l1", "2.5", "7", tied["hash"]),
        ("node", "0.0", "9", gone["hash"]),
    ]


@pytest.fixture
def choose() -> Iterator[Callable[[str], None]]:
    """Makes a variant of `exports.streaming` hold in this process."""

    def decided(variant: str) -> None:
        by = web.WebDecisions.by({"exports.streaming": variant})
        patch.object(web, "_current", by).start()

    yield decided
    patch.stopall()


@pytest.mark.usefixtures("small_pages")
def test_a_gathered_export_is_the_same_bytes_with_their_length(
    finished_run: Callable[..., Run], choose: Callable[[str], None]
) -> None:
    run = finished_run(7)
    choose("streamed")
    wanted = stream_results(run, "csv")
    assert "Content-Length" not in wanted
    choose("buffered")
    gathered = stream_results(run, "csv")
    body = read(gathered)
    assert body == read(wanted)
    assert gathered["Content-Length"] == str(len(body))
    assert gathered["Content-Disposition"] == wanted["Content-Disposition"]


def test_what_is_too_large_to_be_gathered_is_streamed_from_there_on(
    choose: Callable[[str], None],
) -> None:
    drawn: list[int] = []

    def chunks() -> Iterator[bytes]:
        try:
            for n in range(10):
                drawn.append(n)
                yield b"x" * 100
        finally:
            drawn.append(-1)

    with patch.object(exports, "BUFFER", 250):
        response = exports.buffered(chunks(), "text/csv")
    assert (drawn, "Content-Length" in response) == ([0, 1, 2], False)
    assert read(response) == b"x" * 1_000
    with patch.object(exports, "BUFFER", 250):
        left = exports.buffered(chunks(), "text/csv")
    next(iter(left))
    left.close()
    assert drawn[-1] == -1, "nobody told the reader of pages that its client is gone"


def test_a_failure_is_an_answer_of_its_own_where_nothing_was_sent_yet(
    finished_run: Callable[..., Run], choose: Callable[[str], None]
) -> None:
    choose("buffered")
    with (
        patch.object(services, "results_page", side_effect=OperationalError("gone")),
        pytest.raises(OperationalError),
    ):
        stream_results(finished_run(3), "ndjson")
