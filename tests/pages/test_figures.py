"""How numbers are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.pages import figures
from console.templatetags import switchyard


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (999, "999"), (1_000, "1\u202f000"), (12_345_678, "12\u202f345\u202f678")],
)
def test_counts(value: int, text: str) -> None:
    assert figures.count(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4\u202fs"),
        (42, "42\u202fs"),
        (59.7, "1\u202fmin"),
        (200, "3\u202fmin 20\u202fs"),
        (7_500, "2\u202fh 5\u202fmin"),
        (90_000, "1\u202fd 1\u202fh"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert figures.duration(seconds) == text


@pytest.mark.parametrize(
    ("part", "whole", "text"),
    [
        (0, 7, "0\u202f%"),
        (7, 7, "100\u202f%"),
        (1, 3, "33.3\u202f%"),
        (1, 1_000_000, "<\u202f0.1\u202f%"),
        (999_999, 1_000_000, ">\u202f99.9\u202f%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(part: int, whole: int, text: str) -> None:
    assert figures.share(part, whole) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(3_120.4, "3\u202f120/s"), (41.52, "41.5/s"), (0.043, "0.043/s"), (0, "0.0/s")],
)
def test_rates(value: float, text: str) -> None:
    assert figures.per_second(value) == text


@pytest.mark.parametrize(
    ("octets", "text"),
    [(0, "0\u202fB"), (84_300_000, "84\u202fMB"), (1_500, "1.5\u202fkB"), (2**41, "2199\u202fGB")],
)
def test_sizes(octets: int, text: str) -> None:
    assert figures.size(octets) == text


@given(st.lists(st.integers(0, 10_000_000), min_size=5, max_size=5), st.integers(0, 10_000_000))
def test_a_verdict_bar_shows_every_part_inside_its_frame(numbers: list[int], waiting: int) -> None:
    codes = ("valid", "invalid", "not_found", "unverifiable", "error")
    html = switchyard.verdict_meter(list(zip(codes, numbers, strict=True)), sum(numbers) + waiting)
    parts = [
        (float(piece.split('"')[1]), float(piece.split('"')[3]))
        for piece in html.split("<rect")[1:]
    ]
    assert all(width > 0 for (_, width), number in zip(parts, numbers, strict=True) if number)
    assert max(at + width for at, width in parts) <= 100.01


def test_no_figure_is_no_data() -> None:
    assert switchyard.per_second(None) == "no data"
    assert switchyard.share(0, 0) == "no data"
    assert switchyard.count(None) == "–"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("send `a<b` or `c`.", "send <code>a&lt;b</code> or <code>c</code>."),
        ("<b>", "&lt;b&gt;"),
        ("one ` alone <b>", "one ` alone &lt;b&gt;"),
        ("", ""),
    ],
)
def test_what_stands_between_backticks_is_code(text: str, html: str) -> None:
    assert switchyard.code(text) == html
