"""What a person may write for a subject, and what is refused with which words."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from validation.models import SUBJECT_LENGTH
from validation.subjects import (
    MAX_BLOCK_NUMBER,
    MAX_RANGE,
    Kind,
    Malformed,
    Subject,
    SubjectError,
    expand,
    parse_subject,
)

HASH = "0x" + "ab" * 32
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        (f"tx:{HASH}", f"tx:{HASH}"),
        (HASH, f"tx:{HASH}"),
        (f"TX:{HASH.upper()}", f"tx:{HASH}"),
        (f"  tx: {HASH} ", f"tx:{HASH}"),
        (f"block:{HASH}", f"block:{HASH}"),
        (f"block:{HASH.upper()}", f"block:{HASH}"),
        ("block:123", "block:123"),
        ("123", "block:123"),
        ("0", "block:0"),
        ("block:007", "block:7"),
        ("block:0x10", "block:16"),
        (f"block:{MAX_BLOCK_NUMBER}", f"block:{MAX_BLOCK_NUMBER}"),
        (f"address:{ADDRESS}", f"address:{ADDRESS}"),
        (ADDRESS, f"address:{ADDRESS}"),
        ("0X" + ADDRESS[2:], f"address:{ADDRESS}"),
        (f"Address:{ADDRESS}", f"address:{ADDRESS}"),
        ("head", "head"),
        (" HEAD ", "head"),
    ],
)
def test_canonical_text(text: str, canonical: str) -> None:
    assert str(parse_subject(text)) == canonical


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("   ", "empty"),
        ("tx:0xabc", "this has 3"),
        (f"tx:{HASH}0", "this has 65"),
        (f"tx:{HASH[:-1]}g", "'g' is no hex digit"),
        (HASH[2:], "lacks its 0x"),
        (ADDRESS[2:], "lacks its 0x"),
        ("0x10", "neither a hash"),
        (f"address:{HASH}", "40 hex digits"),
        (f"tx:{ADDRESS}", "64 hex digits"),
        (f"block:{ADDRESS}", "a block is a number or a hash"),
        ("block:", "a block is a number or a hash"),
        ("block:latest", "written head"),
        ("block:-1", "range"),
        ("block:1-2", "range where one subject is expected"),
        ("block:9223372036854775808", "no block has a number above"),
        ("block:\u0663", "a block is a number or a hash"),
        ("\u0663", "is no subject"),
        ("account:0x00", "starts with tx:, block: or address:"),
        ("hello", "is no subject"),
        ("x" * 10_000, "is no subject"),
    ],
)
def test_refusal_says_why(text: str, words: str) -> None:
    with pytest.raises(SubjectError, match=words) as caught:
        parse_subject(text)
    assert len(str(caught.value)) < 300


SLOT = "0x" + "0" * 63


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("0x0", f"{SLOT}0"),
        ("0x1,0xA", f"{SLOT}1,{SLOT}a"),
        ("0x" + "Ff" * 32, "0x" + "ff" * 32),
        (" 0X2 , 0x003", f"{SLOT}2,{SLOT}3"),
        ("0x4,0x3,0x2,0x1", f"{SLOT}4,{SLOT}3,{SLOT}2,{SLOT}1"),
    ],
)
@pytest.mark.parametrize("prefix", ["address:", "", "Address: "])
def test_storage_slots_are_written_out(prefix: str, written: str, canonical: str) -> None:
    subject = parse_subject(f"{prefix}{ADDRESS}/{written}")
    assert str(subject) == f"address:{ADDRESS}/{canonical}"
    assert (subject.address, subject.slots) == (ADDRESS, tuple(canonical.split(",")))
    assert parse_subject(str(subject)) == subject
    assert len(str(subject)) <= SUBJECT_LENGTH


def test_no_other_subject_has_slots() -> None:
    assert parse_subject(ADDRESS).slots == ()
    assert parse_subject(ADDRESS).address == ADDRESS
    assert parse_subject(HASH).slots == ()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "no storage slot follows the slash"),
        ("0x1,", "storage slot '' is not 0x"),
        ("1", "storage slot '1' is not 0x"),
        ("0x", "storage slot '0x' is not 0x"),
        ("0xg", "storage slot '0xg' is not 0x"),
        ("0x1/0x2", "storage slot '0x1/0x2' is not 0x"),
        ("0x" + "1" * 65, "is not 0x and 1 to 64 hex digits"),
        ("0x" + "1" * 5000, "storage slot '0x111"),
        ("0x1,0x2,0x3,0x4,0x5", "5 storage slots; at most 4"),
        ("0x1,0x01", "is named twice"),
        ("0x\u0663", "is not 0x"),
    ],
)
def test_a_refused_slot_is_named(written: str, words: str) -> None:
    with pytest.raises(SubjectError, match=words) as caught:
        parse_subject(f"address:{ADDRESS}/{written}")
    assert len(str(caught.value)) < 300


def test_slots_go_with_addresses_only() -> None:
    for text in (f"tx:{HASH}/0x1", "block:5/0x1", "head/0x1"):
        with pytest.raises(SubjectError):
            parse_subject(text)


def test_parsing_the_canonical_text_changes_nothing() -> None:
    for text in (f"tx:{HASH}", f"block:{HASH}", "block:5", f"address:{ADDRESS}", "head"):
        assert str(parse_subject(text)) == text
        assert parse_subject(str(parse_subject(text))) == parse_subject(text)


def test_a_subject_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        parse_subject("head").value = "x"  # type: ignore[misc]


@given(st.text(max_size=90))
def test_any_text_is_a_subject_or_an_explained_refusal(text: str) -> None:
    try:
        subjects = list(islice(expand(text), 3))
    except SubjectError as error:
        message = str(error)
    else:
        message = "read"
        for subject in subjects:
            assert parse_subject(str(subject)) == subject
    assert message


def test_a_range_is_expanded_in_order() -> None:
    assert [str(subject) for subject in expand("block:8-11")] == [
        "block:8",
        "block:9",
        "block:10",
        "block:11",
    ]
    assert [str(subject) for subject in expand(" 0x1-2 ")] == ["block:1", "block:2"]


def test_one_subject_expands_to_itself() -> None:
    assert list(expand("head")) == [Subject(kind=Kind.HEAD, value="")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("block:5-1", "write block:1-5"),
        ("block:1-", "not a range"),
        ("block:1-2-3", "not a range"),
        ("tx:1-2", "not a range"),
        ("-5", "not a range"),
        (f"block:0-{MAX_RANGE}", "5,000,001 blocks"),
        ("block:0-99999999999999999999", "no block has a number above"),
    ],
)
def test_a_bad_range_is_refused_before_iteration(text: str, words: str) -> None:
    with pytest.raises(SubjectError, match=words):
        expand(text)


def test_the_largest_range_starts_at_once() -> None:
    assert str(next(expand(f"block:1-{MAX_RANGE}"))) == "block:1"


def test_malformed_text_is_bounded() -> None:
    assert len(Malformed(line=1, text="x" * 5000, reason="").text) == 200


def test_malformed_texts_can_be_kept_and_sent() -> None:
    bad = Malformed(line=1, text="a\x00b\ud800c\udfff", reason="'\x00' and '\udcff' are none")
    assert bad.text == "a\ufffdb\ufffdc\ufffd"
    assert bad.reason == "'\ufffd' and '\ufffd' are none"
