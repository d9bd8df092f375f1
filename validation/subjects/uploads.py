"""Turns the bytes of an uploaded file into lines of bounded length, and picks their reader."""

from collections.abc import Callable, Iterable, Iterator
from itertools import chain

from validation.subjects.grammar import Malformed, Subject
from validation.subjects.readers import Line, Read, read_csv, read_lines, read_ndjson

MAX_LINE_BYTES = 1 << 20

_LINE_SHOWN = 200
_UTF8_BOM = b"\xef\xbb\xbf"
_NOT_TEXT = (
    (b"\xff\xfe", "this file is UTF-16; save it as UTF-8"),
    (b"\xfe\xff", "this file is UTF-16; save it as UTF-8"),
    (b"\x1f\x8b", "this file is compressed with gzip; upload it unpacked"),
    (b"PK\x03\x04", "this file is a ZIP archive or a spreadsheet; upload it as CSV"),
)
_READERS = {
    "csv": read_csv,
    "tsv": read_csv,
    "ndjson": read_ndjson,
    "jsonl": read_ndjson,
    "json": read_ndjson,
    "text/csv": read_csv,
    "application/csv": read_csv,
    "text/tab-separated-values": read_csv,
    "application/x-ndjson": read_ndjson,
    "application/ndjson": read_ndjson,
    "application/jsonl": read_ndjson,
    "application/json": read_ndjson,
}


def read_upload(
    chunks: Iterable[bytes], *, filename: str, content_type: str
) -> Iterator[Subject | Malformed]:
    """Read a file of subjects as it streams in, in memory bounded by the longest line.

    The reader is told by the file's name, else by its type, else by its first byte. Bytes that are
    not UTF-8 and lines above `MAX_LINE_BYTES` become `Malformed`, each with its line.
    """
    opening, rest = _opening(chunks)
    for magic, reason in _NOT_TEXT:
        if opening.startswith(magic):
            return iter((Malformed(line=1, text=repr(opening[:16]), reason=reason),))
    opening = opening.removeprefix(_UTF8_BOM)
    suffix = filename.rpartition(".")[2].lower()
    media_type = content_type.partition(";")[0].strip().lower()
    reader = _READERS.get(suffix) or _READERS.get(media_type) or _by_first_byte(opening)
    return reader(_lines(chain((opening,), rest)))


def _opening(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """Enough bytes to see a byte-order mark and one byte more, and an iterator of the rest."""
    rest = iter(chunks)
    opening = b""
    for chunk in rest:
        opening += chunk
        if len(opening) > len(_UTF8_BOM):
            break
    return opening, rest


def _by_first_byte(opening: bytes) -> Callable[[Iterable[Line]], Read]:
    return read_ndjson if opening.lstrip()[:1] in (b"{", b'"', b"[") else read_lines


def _lines(chunks: Iterable[bytes]) -> Iterator[Line]:
    number = 0
    tail = b""
    skipping = False  # inside a line that was already refused for its length
    for chunk in chunks:
        *whole, tail = (tail + chunk).split(b"\n")
        for line in whole:
            if skipping:
                skipping = False
                continue
            number += 1
            yield _decoded(number, line)
        if len(tail) > MAX_LINE_BYTES:
            if not skipping:
                number += 1
                yield _too_long(number, tail)
            skipping, tail = True, b""
    if tail and not skipping:
        yield _decoded(number + 1, tail)


def _decoded(number: int, line: bytes) -> Line:
    if len(line) > MAX_LINE_BYTES:
        return _too_long(number, line)
    try:
        return line.decode()
    except UnicodeDecodeError as error:
        return Malformed(
            line=number,
            text=line[:_LINE_SHOWN].decode(errors="replace"),
            reason=f"not UTF-8: byte 0x{line[error.start]:02x} at position {error.start + 1}",
        )


def _too_long(number: int, line: bytes) -> Malformed:
    return Malformed(
        line=number,
        text=line[:_LINE_SHOWN].decode(errors="replace"),
        reason=f"a line is longer than {MAX_LINE_BYTES:,} bytes; put fewer subjects on a line",
    )
