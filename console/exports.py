"""Streams a run's results as NDJSON, CSV or JSON: one page of rows in memory at a time.

A database connection is held within a page only, so a slow download holds none. When the database
fails in the middle the connection is cut: nobody takes a part for the whole.
"""

import csv
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any

import msgspec
from django.db import connections
from django.http import StreamingHttpResponse

from validation import services
from validation.models import Result, Run

PAGE = 1_000
COLUMNS = ("subject", "verdict", "level", "reason", "node", "ms", "checks")
# A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

type Encode = Callable[[Iterator[list[Result]]], Iterator[bytes]]


def result_object(result: Result) -> dict[str, Any]:
    """The object of `validate --json`, keys in its order (jsonb keeps an order of its own)."""
    return {
        "subject": result.subject,
        "verdict": result.verdict,
        "level": result.level,
        "reason": result.reason,
        "checks": [
            {"name": check["name"], "status": check["status"], "detail": check.get("detail", "")}
            for check in result.checks
        ],
        "node": result.node,
        "ms": result.ms,
    }


def stream_results(run: Run, form: str) -> StreamingHttpResponse:
    """The results of `run` so far as a download; `form` is a key of `FORMATS`."""
    content_type, encode = FORMATS[form]
    response = StreamingHttpResponse(encode(_pages(run)), content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{run}.{form}"'
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _pages(run: Run) -> Iterator[list[Result]]:
    after = -1
    while True:
        try:
            rows = services.results_page(run, after=after, limit=PAGE)
        finally:
            # Given back before anything is sent; the next page takes another.
            _give_back()
        if not rows:
            return
        after = rows[-1].ordinal
        yield rows


def _give_back() -> None:
    for connection in connections.all(initialized_only=True):
        # One inside a transaction is its opener's.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _ndjson(pages: Iterator[list[Result]]) -> Iterator[bytes]:
    encoder = msgspec.json.Encoder()
    for rows in pages:
        yield encoder.encode_lines([result_object(row) for row in rows])


def _json(pages: Iterator[list[Result]]) -> Iterator[bytes]:
    before = b"["
    for rows in pages:
        yield before + msgspec.json.encode([result_object(row) for row in rows])[1:-1]
        before = b",\n"
    yield b"[]\n" if before == b"[" else b"]\n"


def _csv(pages: Iterator[list[Result]]) -> Iterator[bytes]:
    yield _csv_rows([list(COLUMNS)])
    for rows in pages:
        yield _csv_rows([[cell(value) for value in _flat(row)] for row in rows])


def _flat(row: Result) -> list[object]:
    checks = " ".join(f"{check['name']}:{check['status']}" for check in row.checks)
    return [row.subject, row.verdict, row.level, row.reason, row.node, row.ms, checks]


def cell(value: object) -> object:
    """A text that a spreadsheet would calculate gets an apostrophe; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_rows(rows: list[list[Any]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


FORMATS: dict[str, tuple[str, Encode]] = {
    "ndjson": ("application/x-ndjson", _ndjson),
    "csv": ("text/csv; charset=utf-8", _csv),
    "json": ("application/json", _json),
}
