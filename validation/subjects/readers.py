"""Reads many subjects, one line after the other, from pasted text, CSV or NDJSON."""

import csv
import re
from collections.abc import Callable, Iterable, Iterator

import msgspec

from validation.subjects.grammar import Kind, Malformed, Subject, SubjectError, expand, parse_plain

type Line = str | Malformed
"""A line already refused by whoever decoded it is passed on, and counted."""

type Read = Iterator[Subject | Malformed]

# A comma also stands between the storage slots of an address: then what follows is a slot.
_PARTS = re.compile(r"[^,;\s/]+/[^;\s]*|[^,;\s]+").findall
_HEADER_WORD = re.compile(r"[A-Za-z][A-Za-z _-]*").fullmatch
_SUBJECT_COLUMNS = ("subject", "item")
_BLOCK_COLUMNS = ("block", "block hash", "block number", "blockno", "blockhash")
_LONE_HEADERS = {
    *_SUBJECT_COLUMNS,
    *_BLOCK_COLUMNS,
    *("hash", "tx", "tx hash", "txhash", "transaction", "transaction hash", "address", "number"),
}


def read_lines(lines: Iterable[Line]) -> Read:
    """Read one or more subjects a line; blank lines and what follows a `#` are skipped.

    After an address with storage slots, a space or a semicolon separates: a comma adds a slot.
    """
    for number, line in enumerate(lines, 1):
        if isinstance(line, Malformed):
            yield line
            continue
        subject = parse_plain(line.strip())
        if subject is not None:
            yield subject
            continue
        text = line.partition("#")[0]
        for part in _PARTS(text):
            yield from _expanded(number, part.rstrip(","))


def read_csv(lines: Iterable[Line]) -> Read:
    """Read a subject a row: from column `subject`, from `kind` and `value`, or from the first.

    A first row without a single subject in it whose first cell is a word is a header; of a single
    column only where the word is a known one, so that a mistyped first line is not swallowed. A
    row ends with its line: a quoted line break is not read as part of a cell.
    """
    pick: Callable[[list[str]], str] | None = None
    delimiter = ""
    for number, line in enumerate(lines, 1):
        if isinstance(line, Malformed):
            yield line
            continue
        if not line.strip() or line.startswith("#"):
            continue
        delimiter = delimiter or _delimiter(line)
        cells = _cells(line, delimiter)
        if pick is None:
            pick = _header(cells)
            if pick is not None:
                continue
            pick = _first
        yield from _expanded(number, pick(cells))


def read_ndjson(lines: Iterable[Line]) -> Read:
    """Read a JSON value a line: `"tx:0x…"`, `12`, `{"subject": …}` or `{"kind": …, "value": …}`."""
    decode = msgspec.json.Decoder().decode
    for number, line in enumerate(lines, 1):
        if isinstance(line, Malformed):
            yield line
            continue
        if not line.strip():
            continue
        try:
            text = _json_text(decode(line))
        except (msgspec.MsgspecError, RecursionError, SubjectError) as error:
            yield Malformed(
                line=number, text=line.strip(), reason=f"not a subject in JSON: {error}"
            )
            continue
        yield from _expanded(number, text)


def _expanded(number: int, text: str) -> Iterable[Subject | Malformed]:
    subject = parse_plain(text)
    if subject is not None:
        return (subject,)
    try:
        return expand(text)
    except SubjectError as error:
        return (Malformed(line=number, text=text, reason=str(error)),)


def _delimiter(line: str) -> str:
    """The separator of this file, told by its first row; comma where there is one column."""
    return max(",;\t", key=line.count)


def _cells(line: str, delimiter: str) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    try:
        return next(csv.reader((line,), delimiter=delimiter), [])
    except csv.Error:
        return [line]


def _header(cells: list[str]) -> Callable[[list[str]], str] | None:
    """How to pick the subject from a row, or None where the first row is no header."""
    names = [cell.strip().lower().replace("_", " ") for cell in cells]
    if not _HEADER_WORD(cells[0].strip()) or any(_is_subject(cell) for cell in cells):
        return None
    if len(names) == 1 and names[0] not in _LONE_HEADERS:
        return None
    if "kind" in names and "value" in names:
        kind, value = names.index("kind"), names.index("value")
        return lambda row: _joined(_cell(row, kind), _cell(row, value))
    for name in _SUBJECT_COLUMNS:
        if name in names:
            column = names.index(name)
            return lambda row: _cell(row, column)
    if names[0] in _BLOCK_COLUMNS:
        return lambda row: _block(_cell(row, 0))
    return _first


def _is_subject(cell: str) -> bool:
    try:
        expand(cell)
    except SubjectError:
        return False
    return True


def _first(row: list[str]) -> str:
    return _cell(row, 0)


def _cell(row: list[str], column: int) -> str:
    return row[column].strip() if column < len(row) else ""


def _joined(kind: str, value: str) -> str:
    return kind if kind.lower() == Kind.HEAD else f"{kind}:{value}"


def _block(cell: str) -> str:
    return cell if cell.lower().startswith("block:") else f"block:{cell}"


def _json_text(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            pass
        case int():
            return str(value)
        case {"subject": str() as subject}:
            return subject
        case {"kind": str() as kind, "value": (str() | int()) as held}:
            return _joined(kind, str(held))
        case {"kind": "head"}:
            return "head"
        case list():
            raise SubjectError("a JSON array; send one value a line (NDJSON)")
    raise SubjectError('expected "tx:0x…", {"subject": "tx:0x…"} or {"kind": "tx", "value": "0x…"}')
