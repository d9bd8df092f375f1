"""Pasted text, CSV and NDJSON: what is read, and what is reported with its line."""

import pytest

from validation.subjects import Malformed, Subject, read_csv, read_lines, read_ndjson

HASH = "0x" + "ab" * 32
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


def texts(read: object) -> list[str]:
    """Canonical texts; a malformed line as `!line text`."""
    return [
        f"!{found.line} {found.text}" if isinstance(found, Malformed) else str(found)
        for found in read  # type: ignore[attr-defined]
    ]


def test_paste_takes_lines_commas_spaces_and_comments() -> None:
    lines = ["# a comment", "", f"  {HASH}, {ADDRESS}", "block:1-2\thead # the newest", "7;8"]
    assert texts(read_lines(lines)) == [
        f"tx:{HASH}",
        f"address:{ADDRESS}",
        "block:1",
        "block:2",
        "head",
        "block:7",
        "block:8",
    ]


SLOTTED = f"address:{ADDRESS}/0x{0:064x},0x{10:064x}"


def test_slots_of_an_address_are_read_from_lines_and_files() -> None:
    line = f"{ADDRESS}/0x0,0xa"
    assert texts(read_lines([line, f"7, {line} head; 8", f"{line}, # the owner"])) == [
        *(SLOTTED, "block:7", SLOTTED, "head", "block:8", SLOTTED)
    ]
    assert texts(read_csv(["subject,note", f'"{line}",owner'])) == [SLOTTED]
    assert texts(read_ndjson([f'"address:{line}"'])) == [SLOTTED]
    assert texts(read_lines([f"{ADDRESS}/0x0,head"])) == [f"!1 {ADDRESS}/0x0,head"]


def test_paste_reports_only_the_bad_part_with_its_line() -> None:
    found = list(read_lines(["head", "", "1, nonsense, 2"]))
    bad = found[2]
    assert isinstance(bad, Malformed)
    assert (bad.line, bad.text) == (3, "nonsense")
    assert "is no subject" in bad.reason
    assert [str(good) for good in found if isinstance(good, Subject)] == [
        "head",
        "block:1",
        "block:2",
    ]


def test_a_line_refused_before_keeps_its_place() -> None:
    refused = Malformed(line=2, text="?", reason="not UTF-8")
    for reader in (read_lines, read_csv):
        assert texts(reader(["1", refused, "x"])) == ["block:1", "!2 ?", "!3 x"]
    assert texts(read_ndjson(["1", refused, "x"])) == ["block:1", "!2 ?", "!3 x"]


@pytest.mark.parametrize(
    ("rows", "read"),
    [
        (["subject,note", "head,x", "1,y"], ["head", "block:1"]),
        (["note,Subject", 'x,"head"', '"a, b",1'], ["head", "block:1"]),
        ([f"{HASH},12", "3,12"], [f"tx:{HASH}", "block:3"]),
        (["subject", "1", "block:1-2"], ["block:1", "block:1", "block:2"]),
        (["kind,value", f"block,{HASH}", "head,", "tx,5"], [f"block:{HASH}", "head", "!4 tx:5"]),
        (['"Transaction Hash","Blockno"', f'"{HASH}","1"'], [f"tx:{HASH}"]),
        (["block_hash,miner", f"{HASH},x", "block:5,x"], [f"block:{HASH}", "block:5"]),
        (["subject;note", "7;x"], ["block:7"]),
        (["7\tx", "8\ty"], ["block:7", "block:8"]),
        (["note,subject", "lonely"], ["!2 "]),
        (["", "# exported", "9"], ["block:9"]),
    ],
)
def test_csv(rows: list[str], read: list[str]) -> None:
    assert texts(read_csv(rows)) == read


def test_a_mistyped_first_line_is_not_taken_for_a_header() -> None:
    assert texts(read_csv(["haed", "head"])) == ["!1 haed", "head"]


def test_an_unclosed_quote_spoils_its_own_line_only() -> None:
    assert texts(read_csv(["1,x", '"2', '3,"y'])) == ["block:1", "block:2", "block:3"]


@pytest.mark.parametrize(
    ("line", "read"),
    [
        ('"head"', "head"),
        ("12", "block:12"),
        (f'{{"subject": "{ADDRESS}", "note": 1}}', f"address:{ADDRESS}"),
        ('{"kind": "block", "value": 5}', "block:5"),
        ('{"kind": "head"}', "head"),
        ('{"kind": "head", "value": ""}', "head"),
    ],
)
def test_ndjson(line: str, read: str) -> None:
    assert texts(read_ndjson(["", line])) == [read]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{", "not a subject in JSON"),
        ("NaN", "not a subject in JSON"),
        ("true", "expected"),
        ("1.5", "expected"),
        ("{}", "expected"),
        ('["head"]', "one value a line"),
        ("[" * 100_000, "not a subject in JSON"),
        ('"nonsense"', "is no subject"),
    ],
)
def test_bad_ndjson_is_reported(line: str, words: str) -> None:
    [found] = read_ndjson([line])
    assert isinstance(found, Malformed)
    assert words in found.reason
    assert len(found.text) <= 200
