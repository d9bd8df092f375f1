"""Uploaded bytes: which reader is picked, and what broken files come to."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.subjects.test_readers import texts
from validation.subjects import MAX_LINE_BYTES, Malformed, read_upload


def upload(*chunks: bytes, filename: str = "", content_type: str = "") -> list[str]:
    return texts(read_upload(chunks, filename=filename, content_type=content_type))


@pytest.mark.parametrize(
    ("content", "filename", "content_type"),
    [
        (b"subject,x\nhead,1\n", "a.csv", ""),
        (b"subject,x\nhead,1\n", "", "text/csv; charset=utf-8"),
        (b'{"subject":"head"}\n', "A.NDJSON", "text/plain"),
        (b'{"subject":"head"}\n', "", "application/x-ndjson"),
        (b'\n {"subject":"head"}', "", ""),
        (b"head", "items.txt", "text/plain"),
        (b"head\r\n", "", ""),
        (b"\xef\xbb\xbfhead", "", ""),
    ],
)
def test_the_reader_is_told_by_name_type_or_first_byte(
    content: bytes, filename: str, content_type: str
) -> None:
    assert upload(content, filename=filename, content_type=content_type) == ["head"]


@given(st.lists(st.integers(min_value=0, max_value=10**6), max_size=30), st.integers(1, 9))
def test_how_the_bytes_are_cut_makes_no_difference(numbers: list[int], size: int) -> None:
    content = "\n".join(map(str, numbers)).encode()
    chunks = [content[start : start + size] for start in range(0, len(content), size)]
    assert upload(*chunks) == [f"block:{number}" for number in numbers]


def test_bytes_that_are_not_utf8_spoil_their_line_only() -> None:
    [one, bad, two] = read_upload([b"1\n\xff2\n3"], filename="", content_type="")
    assert (str(one), str(two)) == ("block:1", "block:3")
    assert isinstance(bad, Malformed)
    assert bad.line == 2
    assert "byte 0xff at position 1" in bad.reason


@pytest.mark.parametrize("chunk", [1 << 12, 1 << 16, MAX_LINE_BYTES * 4])
def test_a_line_too_long_is_dropped_and_the_next_is_read(chunk: int) -> None:
    content = b"1\n" + b"x" * (MAX_LINE_BYTES * 2) + b"\n3\nbad"
    chunks = [content[start : start + chunk] for start in range(0, len(content), chunk)]
    found = list(read_upload(chunks, filename="", content_type=""))
    assert [str(found[0]), str(found[2])] == ["block:1", "block:3"]
    long, bad = found[1], found[3]
    assert isinstance(long, Malformed)
    assert isinstance(bad, Malformed)
    assert (long.line, bad.line) == (2, 4)
    assert "longer than" in long.reason
    assert len(long.text) <= 200


def test_an_endless_line_is_read_in_bounded_memory() -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for _ in range(64):
            taken += 1
            yield b"x" * (1 << 16)

    [found] = read_upload(endless(), filename="", content_type="")
    assert isinstance(found, Malformed)
    assert taken == 64


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("head".encode("utf-16"), "UTF-16"),
        (b"\x1f\x8b\x08\x00aaaa", "gzip"),
        (b"PK\x03\x04aaaa", "ZIP"),
    ],
)
def test_a_file_that_is_no_text_is_named(content: bytes, words: str) -> None:
    [found] = read_upload([content], filename="a.csv", content_type="text/csv")
    assert isinstance(found, Malformed)
    assert words in found.reason


def test_an_empty_file_holds_nothing() -> None:
    assert upload() == upload(b"") == upload(b"", b"") == upload(b"\n\n") == []
