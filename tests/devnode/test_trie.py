"""The trie against proofs walked by an independent reader; RLP against the rlp package."""

from typing import Any

import pytest
import rlp as peer
from eth_utils.crypto import keccak
from hypothesis import given
from hypothesis import strategies as st

from validation.devnode import rlp
from validation.devnode.trie import EMPTY_ROOT, Trie, nibbles


def walked(root: bytes, key: bytes, proof: list[bytes]) -> bytes | None:
    """The value that a proof shows, None where it shows absence; AssertionError where neither."""
    held = list(proof)
    path, wanted = list(nibbles(key)), root
    node: Any = None
    while True:
        if node is None:
            encoded = held.pop(0)
            assert keccak(encoded) == wanted
            node = peer.decode(encoded)
        if len(node) == 17:
            nxt = node[path.pop(0)] if path else node[16]
            if not path and not isinstance(nxt, list) and nxt == node[16]:
                return _last(nxt, held)
        else:
            spelt = list(nibbles(node[0]))
            leaf, spelt = spelt[0] >= 2, spelt[1:] if spelt[0] % 2 else spelt[2:]
            if path[: len(spelt)] != spelt or (leaf and path != spelt):
                return _last(b"", held)
            if leaf:
                return _last(node[1], held)
            path, nxt = path[len(spelt) :], node[1]
        if nxt == b"":
            return _last(b"", held)
        node, wanted = (nxt, b"") if isinstance(nxt, list) else (None, nxt)


def _last(value: bytes, held: list[bytes]) -> bytes | None:
    assert not held, "the proof goes on after its end"
    return value or None


keys = st.binary(min_size=4, max_size=4)
values = st.binary(min_size=1, max_size=60)


@given(st.dictionaries(keys, values, min_size=1, max_size=60), keys)
def test_proofs_show_what_is_in_and_what_is_not(items: dict[bytes, bytes], other: bytes) -> None:
    trie = Trie(items.items())
    for key in (*items, other):
        assert walked(trie.root, key, trie.proof(key)) == items.get(key)


@given(st.dictionaries(keys, values, min_size=2, max_size=30), st.data())
def test_another_value_is_another_root(items: dict[bytes, bytes], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(sorted(items)))
    changed = {**items, key: items[key] + b"\x00"}
    assert Trie(changed.items()).root != Trie(items.items()).root


def test_without_items_the_root_is_the_known_one() -> None:
    assert Trie(()).root == EMPTY_ROOT
    assert EMPTY_ROOT.hex() == "56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421"
    assert Trie(()).proof(b"\x01" * 32) == []


def test_a_root_from_the_specification() -> None:
    # ethereum/tests, trieanyorder: "dogs"
    items = {b"doe": b"reindeer", b"dog": b"puppy", b"dogglesworth": b"cat"}
    root = "8aad789dff2f538bca5d8ea56e8abe10f4c7ba3a5dea95fea4cd6e7c3a1168d3"
    assert Trie(items.items()).root.hex() == root


nested = st.recursive(
    st.binary(max_size=80) | st.integers(min_value=0, max_value=2**300),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=20,
)


@given(nested)
def test_encoding_agrees_with_the_rlp_package(item: Any) -> None:
    assert rlp.encode(item) == peer.encode(item)


@pytest.mark.parametrize("size", [0, 1, 55, 56, 255, 256, 65_535, 65_536])
def test_lengths_at_the_edges(size: int) -> None:
    assert rlp.encode(b"x" * size) == peer.encode(b"x" * size)
    assert rlp.encode([b"x" * size]) == peer.encode([b"x" * size])
