"""RLP: one spelling an item, against the rlp package; whatever else is said is refused, quickly."""

import tracemalloc

import pytest
import rlp as peer
from hypothesis import given, settings
from hypothesis import strategies as st

from validation.proofs import rlp

items = st.recursive(st.binary(max_size=80), lambda inner: st.lists(inner, max_size=6))
# Bytes that look like heads come often, so that the reader gets somewhere.
heads = st.sampled_from([0x00, 0x7F, 0x80, 0x81, 0xB7, 0xB8, 0xB9, 0xBF, 0xC0, 0xC1, 0xF7, 0xF8])
noise = st.one_of(st.binary(max_size=120), st.lists(heads | st.integers(0, 255)).map(bytes))


@settings(deadline=None)
@given(items)
def test_what_is_encoded_is_what_the_peer_encodes_and_comes_back(item: rlp.Item) -> None:
    encoded = rlp.encode(item)
    assert encoded == peer.encode(item)
    assert rlp.decode(encoded) == item


@settings(deadline=None)
@given(noise)
def test_any_bytes_are_decoded_as_the_peer_does_or_refused(data: bytes) -> None:
    try:
        item = rlp.decode(data)
    except rlp.Malformed:
        with pytest.raises(peer.DecodingError):
            peer.decode(data)
    else:
        assert peer.decode(data) == item
        assert rlp.encode(item) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ("", "is missing"),
        ("8180 00", "follow the item"),
        ("8100", "a small byte"),
        ("817f", "a small byte"),
        ("b800", "more bytes than it needs"),
        ("b837" + "11" * 55, "more bytes than it needs"),
        ("b90038" + "11" * 56, "more bytes than it needs"),
        ("f800", "more bytes than it needs"),
        ("c181", "of which 0 are there"),
        ("83aabb", "of which 2 are there"),
        ("b9ff", "of which 1 are there"),
        ("bfffffffffffffffff", "of which 0 are there"),
        ("ffffffffffffffffff", "of which 0 are there"),
        ("c4c4808080", "of which 3 are there"),
    ],
)
def test_what_is_not_one_canonical_item_is_refused_with_the_reason(data: str, why: str) -> None:
    with pytest.raises(rlp.Malformed, match=why):
        rlp.decode(bytes.fromhex(data))


def nested(deep: int) -> bytes:
    data = b""
    for _ in range(deep):
        data = rlp.sequence(data)
    return data


def test_lists_nest_as_deep_as_is_allowed_and_no_deeper() -> None:
    assert rlp.encode(rlp.decode(nested(16))) == nested(16)
    with pytest.raises(rlp.Malformed, match="nested too deep"):
        rlp.decode(nested(17))
    with pytest.raises(rlp.Malformed, match="nested too deep"):
        rlp.decode(b"\xc0", max_depth=0)


@pytest.mark.parametrize(
    "bomb",
    [
        nested(20_000),
        b"\xf9\xff\xff" + b"\xc0" * 0xFFFF,
        b"\xfa\x04\x00\x00" + b"\xc0" * 2**18,
        b"\xfb" + (2**24).to_bytes(4) + b"\x80" * 2**24,
        b"\xbf\x7f" + b"\xff" * 7 + b"\x00",
    ],
    ids=["nesting", "many lists", "more lists", "16 MiB", "a size of 2^63"],
)
def test_a_bomb_costs_no_more_memory_than_a_block_would(bomb: bytes) -> None:
    tracemalloc.start()
    try:
        rlp.decode(bomb)
    except rlp.Malformed:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 20 * 2**20


def test_more_than_a_whole_block_is_refused_unread() -> None:
    with pytest.raises(rlp.Malformed, match="more than the 10485760"):
        rlp.decode(bytes(100 * 2**20))


def test_too_many_items_are_refused_wherever_they_stand() -> None:
    inner = rlp.sequence(b"\x80" * 100_000)
    with pytest.raises(rlp.Malformed, match="more than 200000 items"):
        rlp.decode(rlp.sequence(inner * 2))


@settings(deadline=None)
@given(st.integers(0, 2**256 - 1))
def test_numbers_are_spelt_without_leading_zeros(number: int) -> None:
    assert rlp.read_uint(rlp.uint(number)) == number
    if number < 2**248:
        with pytest.raises(rlp.Malformed, match="leading zeros"):
            rlp.read_uint(b"\x00" + rlp.uint(number))


@pytest.mark.parametrize(
    ("item", "why"), [([], "a list"), (b"\x01" * 33, "33 bytes"), (b"\x00", "leading")]
)
def test_what_is_no_number_is_refused(item: rlp.Item, why: str) -> None:
    with pytest.raises(rlp.Malformed, match=why):
        rlp.read_uint(item)
