"""Streams results and tables as NDJSON, CSV or JSON: one page of rows in memory at a time, unless
the flag `exports.streaming` says to gather them first.

A database connection is held within a page only, so a slow download holds none. When the database
fails in the middle the connection is cut: nobody takes a part for the whole.
"""

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import StringIO
from typing import Any

import msgspec
from django.db import connections
from django.http import StreamingHttpResponse

from console.flags import web
from console.flags.catalogue import EXPORTS_STREAMING
from console.replicas import reading
from validation import services
from validation.models import Result, Run

PAGE = 1_000
COLUMNS = (
    *("subject", "verdict", "level", "reason", "node", "ms", "checks"),
    *("source", "age_s", "block_number", "block_hash"),
)
# A spreadsheet takes a cell that starts so for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")

TABLE_FORMS = frozenset({"csv", "json"})

# Of an export that is gathered: what one request may hold in memory.
BUFFER = 8 * 1024 * 1024

type Rows = list[Result]
type Table = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Format:
    """How a file begins, how each page of rows follows (is it the first?), and how it ends."""

    content_type: str
    opening: bytes
    page: Callable[[Rows, bool], bytes]
    closing: bytes


def result_object(result: Result) -> dict[str, Any]:
    """The object of `validate --json`, keys in its order (jsonb keeps an order of its own)."""
    block = result.block
    return {
        "subject": result.subject,
        "verdict": result.verdict,
        "level": result.level,
        "reason": result.reason,
        "checks": result.checks,
        "node": result.node,
        "ms": result.ms,
        "source": result.source,
        "age_s": result.age_s,
        "block": {"number": block.number, "hash": block.hash} if block else None,
        "agreement": result.agreement,
    }


def stream_results(run: Run, form: str) -> StreamingHttpResponse:
    """The results of `run` so far as a download; `form` is a key of `FORMATS`."""
    wanted = FORMATS[form]
    # A replica that has heard of the end has all results; one that has not lacks some.
    reading.only_if(run.is_finished)
    return _download(_chunks(run, wanted), f"{run}.{form}", wanted.content_type)


def stream_table(
    name: str, form: str, columns: Sequence[str], pages: Iterator[Sequence[Table]]
) -> StreamingHttpResponse:
    """The rows of a page's table, which come in pages; `form` is one of `TABLE_FORMS`."""
    write = {"csv": _table_csv, "json": _table_json}[form]
    return _download(write(columns, pages), f"{name}.{form}", FORMATS[form].content_type)


def _table_csv(columns: Sequence[str], pages: Iterator[Sequence[Table]]) -> Iterator[bytes]:
    yield _csv_rows([list(columns)])
    for rows in _read(pages):
        yield _csv_rows([[cell(_plain(row[name])) for name in columns] for row in rows])


def _table_json(columns: Sequence[str], pages: Iterator[Sequence[Table]]) -> Iterator[bytes]:
    lead = b"["
    for rows in _read(pages):
        objects = [{name: _plain(row[name]) for name in columns} for row in rows]
        yield lead + msgspec.json.encode(objects)[1:-1]
        lead = b",\n"
    yield b"]\n" if lead != b"[" else b"[]\n"


def _plain(value: object) -> object:
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


def _read(pages: Iterator[Sequence[Table]]) -> Iterator[Sequence[Table]]:
    """Pages until an empty one, each read before the connection is given back."""
    while True:
        try:
            rows = next(pages, ())
        finally:
            _give_back()
        if not rows:
            return
        yield rows


def streamed(chunks: Iterator[bytes], content_type: str) -> StreamingHttpResponse:
    """Sent as it is read."""
    return StreamingHttpResponse(chunks, content_type=content_type)


def buffered(chunks: Iterator[bytes], content_type: str) -> StreamingHttpResponse:
    """Gathered before its first byte, so that a failure is an answer of its own; what is larger
    than `BUFFER` is streamed after all.
    """
    gathered, size = [], 0
    for chunk in chunks:
        gathered.append(chunk)
        size += len(chunk)
        if size > BUFFER:
            return streamed(_resumed(gathered, chunks), content_type)
    response = streamed(iter(gathered), content_type)
    response["Content-Length"] = str(size)
    return response


def _resumed(gathered: list[bytes], chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Closed in the middle, it closes `chunks`."""
    yield from gathered
    yield from chunks


# By variant of `exports.streaming`.
DOWNLOADS: Mapping[str, Callable[[Iterator[bytes], str], StreamingHttpResponse]] = {
    "buffered": buffered,
    "streamed": streamed,
}


def _download(chunks: Iterator[bytes], name: str, content_type: str) -> StreamingHttpResponse:
    chosen = DOWNLOADS.get(web.decisions().value(EXPORTS_STREAMING), streamed)
    response = chosen(chunks, content_type)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    response["X-Accel-Buffering"] = "no"
    return response


def _chunks(run: Run, form: Format) -> Iterator[bytes]:
    yield form.opening
    after = -1
    while True:
        first = after < 0
        try:
            rows = services.results_page(run, after=after, limit=PAGE)
            # Inside: what a row says of its checks may be read from the database too.
            chunk = form.page(rows, first) if rows else form.closing
        finally:
            # Given back before anything is sent; the next page takes another.
            _give_back()
        yield chunk
        if not rows:
            return
        after = rows[-1].ordinal


def _give_back() -> None:
    for connection in connections.all(initialized_only=True):
        # One inside a transaction is its opener's.
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()


def _ndjson(rows: Rows, _first: bool) -> bytes:
    return msgspec.json.Encoder().encode_lines([result_object(row) for row in rows])


def _json(rows: Rows, first: bool) -> bytes:
    objects = msgspec.json.encode([result_object(row) for row in rows])[1:-1]
    return objects if first else b",\n" + objects


def _csv(rows: Rows, _first: bool) -> bytes:
    return _csv_rows([[cell(value) for value in _flat(row)] for row in rows])


def _flat(row: Result) -> list[object]:
    checks = " ".join(f"{check['name']}:{check['status']}" for check in row.checks)
    own = [row.subject, row.verdict, row.level, row.reason, row.node, row.ms, checks]
    tied = [row.block.number, row.block.hash] if row.block else ["", ""]
    return [*own, row.source, row.age_s, *tied]


def cell(value: object) -> object:
    """A text that a spreadsheet would calculate gets an apostrophe; numbers stay numbers."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _csv_rows(rows: list[list[Any]]) -> bytes:
    text = StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


FORMATS = {
    "ndjson": Format("application/x-ndjson", b"", _ndjson, b""),
    "csv": Format("text/csv; charset=utf-8", _csv_rows([list(COLUMNS)]), _csv, b""),
    "json": Format("application/json", b"[", _json, b"]\n"),
}
