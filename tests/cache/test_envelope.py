"""The envelope of L2: its bytes, whom it answers, and what it makes of everything else."""

import struct

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.cache import envelope
from validation.cache.codec import CODECS
from validation.cache.envelope import Payload, open_, seal
from validation.cache.errors import CacheError, CorruptPayload, ForeignPayload

KEY = b"k" * 32
NAME = b"chain:1"
FULL = Payload(
    raws=(b'{"number":"0x1"}', b"null"),
    node="node.example:8545 #3f2a",
    created_ms=1_767_225_600_000,
    stale_ms=1_767_225_602_000,
    expires_ms=1_767_225_660_000,
    tags=("block:0xab", "tx"),
    block_hash="0xab",
    negative=True,
    epoch="e1",
)
SHORT = Payload(raws=(b'{"number":"0x1"}',), node="n", created_ms=1, stale_ms=2, expires_ms=3)
LONG = msgspec.structs.replace(SHORT, raws=(b'{"number":"0x1"}' * 40,))

# Version 1, as its first release wrote it. These never change: a fleet in the middle of a rollback
# reads them. A new version gets a table of its own.
GOLDEN_1 = {
    "none": (
        FULL,
        (
            "535901006f6696cdffe5ab6ee92c886261955b1f0000004f99cf0000019b76daa800cf0000019b76"
            "daafd0cf0000019b76db9260c3b76e6f64652e6578616d706c653a38353435202333663261a26531"
            "a43078616292aa626c6f636b3a30786162a274789210047b226e756d626572223a22307831227d6e"
            "756c6c"
        ),
    ),
    "base64": (
        SHORT,
        (
            "53590101d3b71d1ef3554e1d7835a28ac922d68c0000000c99010203c2a16ea0c090911065794a75"
            "645731695a5849694f6949776544456966513d3d"
        ),
    ),
    "gzip": (
        LONG,
        (
            "535901026101fccc9958eb1ec71a642d96b4f1b10000000e99010203c2a16ea0c09091cd02801f8b"
            "0800000000000003ab56ca2bcd4d4a2d52b25232a83054aaad1ee58ff2e9c807008645e1ca800200"
            "00"
        ),
    ),
    "brotli": (
        LONG,
        (
            "53590103a135471f455122c04adfdb4d94d7882b0000000e99010203c2a16ea0c09091cd02801b7f"
            "0200041c72e4072a8da9ad5594f45603656c2a08aa39"
        ),
    ),
    "zstd": (
        LONG,
        (
            "535901048f5d6191097b6e318aa23d58ede758420000000e99010203c2a16ea0c09091cd02806101"
            "80017d0000207b31227d02006d6656a3e770ec0a"
        ),
    ),
}

MILLISECONDS = st.integers(0, 1 << 53)
PAYLOADS = st.builds(
    Payload,
    raws=st.lists(st.one_of(st.binary(max_size=200), st.just(b"0x12ab" * 300)), max_size=6).map(
        tuple
    ),
    node=st.text(max_size=30),
    created_ms=MILLISECONDS,
    stale_ms=MILLISECONDS,
    expires_ms=MILLISECONDS,
    tags=st.lists(st.text(max_size=20), max_size=4).map(tuple),
    block_hash=st.none() | st.text(max_size=66),
    negative=st.booleans(),
    epoch=st.text(max_size=20),
)


@pytest.mark.parametrize("codec", sorted(GOLDEN_1))
def test_version_1_is_read_for_ever(codec: str) -> None:
    payload, golden = GOLDEN_1[codec]
    data = bytes.fromhex(golden)
    assert data[:4] == b"SY\x01" + bytes([CODECS[codec].tag])
    assert open_(data, key=KEY, name=NAME) == payload


@pytest.mark.parametrize("codec", ["none", "base64"])
def test_version_1_is_written_as_it_was(codec: str) -> None:
    """What compresses may write other bytes in another release of its library."""
    payload, golden = GOLDEN_1[codec]
    assert seal(payload, key=KEY, codec=codec, name=NAME).hex() == golden


@pytest.mark.parametrize("codec", sorted(CODECS))
@given(payload=PAYLOADS, name=st.binary(max_size=60))
@settings(deadline=None)
def test_what_was_sealed_comes_back(codec: str, payload: Payload, name: bytes) -> None:
    """By whichever codec: the tag byte tells the reader, which has no configuration of its own."""
    assert open_(seal(payload, key=KEY, codec=codec, name=name), key=KEY, name=name) == payload


@pytest.mark.parametrize("codec", sorted(CODECS))
def test_another_key_or_another_name_does_not_open_it(codec: str) -> None:
    data = seal(LONG, key=KEY, codec=codec, name=NAME)
    with pytest.raises(CorruptPayload):
        open_(data, key=b"x" * 32, name=NAME)
    for name in (b"", b"chain:2", b"chain:1x", b"chain:"):
        with pytest.raises(CorruptPayload):
            open_(data, key=KEY, name=name)


def test_name_and_content_cannot_be_shifted_into_each_other() -> None:
    data = seal(SHORT, key=KEY, codec="none", name=NAME)
    with pytest.raises(CacheError):
        open_(data[:4] + data[4:], key=KEY, name=NAME + data[:2])


@pytest.mark.parametrize("data", [b"", b"S", b"nonsense", b"gzip:H4sI", b"\x80\x04K\x01.", b"5"])
def test_other_peoples_bytes_are_foreign(data: bytes) -> None:
    with pytest.raises(ForeignPayload):
        open_(data, key=KEY, name=NAME)


def test_a_later_version_is_foreign_not_corrupt() -> None:
    data = bytearray(seal(SHORT, key=KEY, codec="none", name=NAME))
    data[2] = 2
    with pytest.raises(ForeignPayload, match="version 2"):
        open_(bytes(data), key=KEY, name=NAME)


def resealed(start: bytes, rest: bytes) -> bytes:
    """By somebody who has the key: a later release, or an earlier one with a fault."""
    return start + envelope._mac(KEY, NAME, start, rest) + rest


def body_of(data: bytes) -> tuple[bytes, bytes]:
    (length,) = struct.unpack(">I", data[20:24])
    return data[24 : 24 + length], data[24 + length :]


def test_an_unknown_codec_is_foreign() -> None:
    data = seal(SHORT, key=KEY, codec="none", name=NAME)
    with pytest.raises(ForeignPayload, match="codec 200"):
        open_(resealed(b"SY\x01\xc8", data[20:]), key=KEY, name=NAME)


@given(header=st.binary(max_size=80), body=st.binary(max_size=80), tag=st.integers(0, 4))
@settings(deadline=None, max_examples=500)
def test_whatever_was_sealed_with_our_key_raises_errors_of_the_cache_only(
    header: bytes, body: bytes, tag: int
) -> None:
    rest = len(header).to_bytes(4) + header + body
    with pytest.raises(CacheError):
        open_(resealed(b"SY\x01" + bytes([tag]), rest), key=KEY, name=NAME)


@pytest.mark.parametrize(
    "lengths", [[0], [15], [17], [1 << 60], [-16, 32], [(1 << 63) - 1, (1 << 63) - 1], [8, 9], []]
)
@pytest.mark.parametrize("codec", sorted(CODECS))
def test_lengths_that_are_not_the_bodys_are_refused(codec: str, lengths: list[int]) -> None:
    data = seal(SHORT, key=KEY, codec=codec, name=NAME)
    header, body = body_of(data)
    fields = msgspec.msgpack.decode(header)
    fields[-1] = lengths
    changed = msgspec.msgpack.encode(fields)
    with pytest.raises(CorruptPayload):
        open_(resealed(data[:4], len(changed).to_bytes(4) + changed + body), key=KEY, name=NAME)


def test_the_hash_is_verified_before_anything_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    data = bytearray(seal(LONG, key=KEY, codec="brotli", name=NAME))
    data[-1] ^= 1
    looked: list[str] = []
    monkeypatch.setattr(envelope, "_read", lambda *_: looked.append("inside"))
    with pytest.raises(CorruptPayload):
        open_(bytes(data), key=KEY, name=NAME)
    assert not looked


def test_what_no_reader_would_take_is_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(envelope, "MAX_STORED", 1_000)
    too_much = msgspec.structs.replace(SHORT, raws=(b"x" * 1_000,))
    with pytest.raises(CorruptPayload):
        seal(too_much, key=KEY, codec="none", name=NAME)
    sealed = seal(SHORT, key=KEY, codec="none", name=NAME)
    with pytest.raises(CorruptPayload):
        open_(sealed + bytes(1_000), key=KEY, name=NAME)
