"""What is no bundle is refused with one clear line, whoever wrote it and however large it is."""

import json

import pytest
import zstandard

from tests.evidence.tampering import changed
from tests.evidence.worlds import made, subjects
from validation import evidence
from validation.evidence import packing

_DIGITS = b"9" * 5_000


@pytest.fixture
async def document() -> bytes:
    _, packed = await made(subjects()["tx"], 2)
    return evidence.document(packed)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "does not begin with {"),
        (b"   ", "does not begin with {"),
        (b"[]", "does not begin with {"),
        (b"\x28\xb5\x2f\xfd garbage", "does not begin with {"),
        (b"{", "not JSON"),
        (b"{\xff\xfe}", "not JSON"),
        (b'{"a":1,"a":2}', "a key twice"),
        (b'{"a":NaN}', "not JSON"),
        (b"{}", '"format" is not "switchyard-proof"'),
        (b'{"format":"another","version":1}', '"format" is not "switchyard-proof"'),
        (b'{"format":"switchyard-proof"}', "version None of the format: this release reads 1"),
        (b'{"format":"switchyard-proof","version":2}', "version 2 of the format"),
        (b'{"format":"switchyard-proof","version":true}', "version True of the format"),
        (b'{"format":"switchyard-proof","version":"1"}', "version 1 of the format"),
        (b'{"format":"switchyard-proof","version":1}', "missing required field"),
        (b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", "nested more than 72 deep"),
        (b'{"a":' + b'{"b":' * 100 + b"1" + b"}" * 101, "nested more than 72 deep"),
        (b'{"a":' + _DIGITS + b',"b":":"}', "out of range"),
        (b'{"a":1e400,"b":":"}', "out of range"),
    ],
    ids=range(19),
)
def test_garbage_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(evidence.Unreadable) as refused:
        evidence.verify(text)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


async def test_a_file_cut_anywhere_is_refused(document: bytes) -> None:
    text = document.strip()
    for end in range(0, len(text), 97):
        with pytest.raises(evidence.Unreadable):
            evidence.verify(text[:end])


def test_a_file_of_more_than_a_bundle_may_have_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", 1_000)
    with pytest.raises(evidence.TooLarge, match="a bundle at most"):
        evidence.verify(b"{" + b" " * 1_000 + b"}")


async def test_what_takes_more_than_a_bundle_may_have_is_not_packed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "MOST_PACKED", 100)
    with pytest.raises(evidence.TooLarge, match="are kept"):
        await made(subjects()["tx"], 2)
    monkeypatch.setattr(packing, "MOST_BYTES", 1_000)
    with pytest.raises(evidence.TooLarge, match="a bundle holds"):
        await made(subjects()["tx"], 2)


async def test_a_packed_bundle_that_unpacks_without_end_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packing, "MOST_BYTES", 1 << 20)
    bomb = zstandard.ZstdCompressor().compress(bytes(64 << 20))
    assert len(bomb) < 10_000
    with pytest.raises(evidence.TooLarge, match="unpacks to more"):
        evidence.unpack(bomb)


def _padded(document: bytes, octets: int) -> bytes:
    """A packed bundle with an answer that is mostly commas: made to be indented."""
    tree = json.loads(document)
    tree["exchanges"][0]["questions"][0]["result"]["more"] = "HERE"
    deep = b"[" * 50 + b"0," * (octets // 2) + b"0" + b"]" * 50
    return zstandard.compress(json.dumps(tree).encode().replace(b'"HERE"', deep))


def test_a_document_is_not_indented_to_many_times_its_size(document: bytes) -> None:
    packed = _padded(document, 4 << 20)
    assert len(packed) < 10_000
    exported = evidence.document(packed)
    assert 4 << 20 < len(exported) < 5 << 20
    indented = evidence.document(_padded(document, 20 << 10))
    assert b'{\n  "format"' in indented
    assert len(indented) < packing._MOST_INDENTED


async def test_what_is_packed_at_most_is_read_again_as_it_is_exported(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, packed = await made(subjects()["tx"], 2)
    size = len(packing._unpacked(packed))
    monkeypatch.setattr(packing, "MOST_BYTES", size)
    monkeypatch.setattr(packing, "_MOST_INDENTED", size)
    _, again = await made(subjects()["tx"], 2)
    assert (await evidence.reverify(evidence.document(again))).same
    monkeypatch.setattr(packing, "MOST_BYTES", size - 1)
    with pytest.raises(evidence.TooLarge):
        await made(subjects()["tx"], 2)


@pytest.mark.parametrize("packed", [b"", b"nothing", zstandard.ZstdCompressor().compress(b"[]")])
def test_a_packed_bundle_that_is_none_is_refused(packed: bytes) -> None:
    with pytest.raises(evidence.Unreadable):
        evidence.unpack(packed)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("subject",), "tx:0x12"),
        (("subject",), "TX:0x" + "ab" * 32),
        (("level",), 6),
        (("level",), -1),
        (("made_at",), -1),
        (("made_at",), "now"),
        (("outcome", "verdict"), "certain"),
        (("context", "chain_id"), 2**70),
        (("exchanges", 0, "questions"), {}),
        (("exchanges", 0, "secret"), "x"),
        (("more",), 1),
    ],
)
async def test_a_member_that_the_format_does_not_have_is_refused(
    document: bytes, path: tuple[str | int, ...], value: object
) -> None:
    with pytest.raises(evidence.Unreadable):
        evidence.verify(changed(json.loads(document), path, value, sealed=True))
