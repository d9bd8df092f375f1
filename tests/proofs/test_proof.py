"""Proofs: what is in, what is not, and every way of cutting, swapping or padding one."""

from typing import Any

import pytest
import rlp
from eth_utils.crypto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs import peer
from validation.devnode.trie import Trie
from validation.proofs import EMPTY_ROOT, BadProof, prove

HASHED = {keccak(index.to_bytes(4)): rlp.encode([index, b"v" * 60]) for index in range(2_000)}
FULL = Trie(HASHED.items())
KEY = next(key for key in HASHED if len(FULL.proof(key)) == 4)
PROOF = FULL.proof(KEY)

# Alike for their first bytes: extensions, embedded nodes, values in branches' last place.
keys = st.builds(bytes.__add__, st.sampled_from([b"", b"\x11", b"\x11\x11", b"\x12"]), st.binary())
tries = st.dictionaries(
    st.binary(min_size=3, max_size=3)
    | st.builds(
        bytes.__add__,
        st.sampled_from([b"\x11\x11", b"\x11\x12"]),
        st.binary(min_size=1, max_size=1),
    ),
    st.binary(min_size=1, max_size=40),
    min_size=1,
    max_size=40,
)


@settings(deadline=None)
@given(tries, st.binary(min_size=3, max_size=3))
def test_a_proof_shows_what_is_in_and_what_is_not(items: dict[bytes, bytes], other: bytes) -> None:
    trie = Trie(items.items())
    for key in (*items, other):
        assert prove(trie.root, key, trie.proof(key)) == items.get(key)


@settings(deadline=None)
@given(st.dictionaries(keys, st.binary(min_size=1, max_size=40), min_size=1, max_size=25), keys)
def test_what_py_trie_proves_is_proved(items: dict[bytes, bytes], other: bytes) -> None:
    """Keys of any length here: some end in a branch. py-trie lists embedded nodes once more."""
    trie = peer.built(items)
    for key in (*items, other):
        assert prove(trie.root_hash, key, peer.proof(trie, key)) == items.get(key)


def test_a_proof_of_hashed_keys_agrees_with_py_trie() -> None:
    assert peer.proven(FULL.root, KEY, PROOF) == HASHED[KEY]
    assert prove(FULL.root, KEY, PROOF) == HASHED[KEY]


def test_absence_is_proved_at_a_gap_a_foreign_leaf_and_a_foreign_extension() -> None:
    lone = Trie([(b"\x12\x34", b"v" * 40)])
    assert prove(lone.root, b"\x12\x35", lone.proof(b"\x12\x35")) is None
    pair = Trie([(b"\x12\x34", b"v" * 40), (b"\x12\x35", b"v" * 40)])
    assert prove(pair.root, b"\x22\x34", pair.proof(b"\x22\x34")) is None
    assert prove(pair.root, b"\x12\x36", pair.proof(b"\x12\x36")) is None


@pytest.mark.parametrize("nodes", [[], [b"\x80"]])
def test_nothing_is_in_an_empty_trie_in_either_form(nodes: list[bytes]) -> None:
    assert prove(EMPTY_ROOT, KEY, nodes) is None


def test_an_empty_trie_has_no_other_proof() -> None:
    with pytest.raises(BadProof, match="node 1 of 4 has the hash"):
        prove(EMPTY_ROOT, KEY, PROOF)


def test_a_root_that_is_no_hash_proves_nothing() -> None:
    """Else a short root would be read as an embedded node, which no hash vouches for."""
    forged: Any = rlp.encode([bytes.fromhex("20") + b"", b"lie"])
    with pytest.raises(BadProof, match="a root has 32 bytes"):
        prove(forged, b"", [])


@pytest.mark.parametrize("kept", range(len(PROOF)))
def test_a_proof_that_is_cut_says_what_is_missing(kept: int) -> None:
    with pytest.raises(BadProof, match=f"node {kept + 1} of {kept} is missing"):
        prove(FULL.root, KEY, PROOF[:kept])


def test_surplus_foreign_and_reordered_nodes_are_refused_by_their_place() -> None:
    other = next(key for key in HASHED if FULL.proof(key)[1] != PROOF[1])
    foreign = FULL.proof(other)
    with pytest.raises(BadProof, match="node 5 of 5 is surplus"):
        prove(FULL.root, KEY, [*PROOF, PROOF[-1]])
    with pytest.raises(BadProof, match="node 2 of 4 has the hash"):
        prove(FULL.root, KEY, [PROOF[0], *foreign[1:4]][:4])
    with pytest.raises(BadProof, match="node 2 of 4 has the hash"):
        prove(FULL.root, KEY, [PROOF[0], PROOF[2], PROOF[1], PROOF[3]])
    with pytest.raises(BadProof, match="node 1 of 4 has the hash"):
        prove(keccak(b"another block's"), KEY, PROOF)
    with pytest.raises(BadProof, match="node 2 of 5 has the hash"):
        prove(FULL.root, KEY, [PROOF[0], PROOF[0], *PROOF[1:]])


def test_a_proof_of_one_key_says_nothing_of_another_that_is_there() -> None:
    for other in (key for key in list(HASHED)[:200] if key != KEY):
        with pytest.raises(BadProof):
            prove(FULL.root, other, PROOF)


@settings(deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_proof_goes_unseen(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(PROOF) - 1))
    at = data.draw(st.integers(0, len(PROOF[place]) - 1))
    flip = data.draw(st.integers(1, 255))
    changed = bytearray(PROOF[place])
    changed[at] ^= flip
    with pytest.raises(BadProof, match=f"node {place + 1} of 4 has the hash"):
        prove(FULL.root, KEY, [*PROOF[:place], bytes(changed), *PROOF[place + 1 :]])


heads = st.sampled_from([0x80, 0xA0, 0xC0, 0xC2, 0xD1, 0xE2, 0xF8, 0xF9, 0x00, 0x20, 0x16, 0x3F])
junk = st.one_of(st.binary(max_size=600), st.lists(heads | st.integers(0, 255)).map(bytes))
shaped = st.lists(st.binary(max_size=40) | st.lists(st.binary(max_size=8), max_size=4), max_size=19)


@settings(deadline=None)
@given(st.lists(junk | shaped.map(rlp.encode), max_size=5), st.binary(max_size=4), st.data())
def test_any_nodes_at_all_prove_or_are_refused(
    nodes: list[bytes], key: bytes, data: st.DataObject
) -> None:
    """The root is made to fit, as a node that makes up a whole header could."""
    root = keccak(nodes[0]) if nodes else data.draw(st.binary(min_size=32, max_size=32))
    try:
        value = prove(root, key, nodes)
    except BadProof:
        return
    assert value is None or value in nodes[0]


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (b"", "is missing"),
        (rlp.encode([b"a", b"b", b"c"]), "a list of 3 items"),
        (rlp.encode([b""] * 18), "more than 17"),
        (rlp.encode([b"\x40", b"v"]), "no path starts 0x40"),
        (rlp.encode([b"\x21\x11", b"v"]), "no path starts 0x21"),
        (rlp.encode([b"", b"v"]), "no path starts 0x"),
        (rlp.encode([[b"\x20"], b"v"]), "no path starts"),
        (rlp.encode([b"\x00", b"h" * 32]), "an extension with no path"),
        (rlp.encode([b"\x11", b""]), "leads nowhere"),
        (rlp.encode([b"\x11", b"h" * 31]), "no hash or node"),
        (rlp.encode([b"\x11", [b"h" * 31]]), "no hash or node"),
        (rlp.encode([b""] + [b"h" * 5] * 16), "no hash or node"),
        (rlp.encode([b"\x20\x11\x11", [b"v"]]), "a list where a value belongs"),
        (rlp.encode([b"\x20\x11\x11", b"v"]) + b"\x00", "not exactly one list"),
        (bytes(2**20 + 1), "more than 1048576"),
    ],
)
def test_a_node_of_the_right_hash_that_is_none_is_refused(node: bytes, why: str) -> None:
    with pytest.raises(BadProof, match=why):
        prove(keccak(node), b"\x11\x11", [node])


def test_a_chain_of_embedded_nodes_ends() -> None:
    """Each embedded extension spells a nibble; nesting costs bytes, so it ends by itself."""
    inner: Any = [b"\x20", b"v"]
    for _ in range(9):
        inner = [b"\x11", inner]
    root = rlp.encode(inner)
    assert prove(keccak(root), b"\x11" * 4 + b"\x11", [root]) is None
    deep = rlp.encode([[[]] * 500])
    with pytest.raises(BadProof):
        prove(keccak(deep), b"\x11", [deep])
