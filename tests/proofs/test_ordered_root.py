"""Roots of a block's lists against py-trie and the devnode's trie, at every fork of keys."""

import random

import pytest
import rlp
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.proofs import peer
from validation.devnode.trie import Trie
from validation.proofs import EMPTY_ROOT, ordered_root


def devnode_root(values: list[bytes]) -> bytes:
    return Trie((rlp.encode(index), value) for index, value in enumerate(values)).root


# Where keys grow by a byte, and where a branch has its first or its last child.
@pytest.mark.parametrize("count", [*range(20), 126, 127, 128, 129, 130, 144, 255, 256, 257, 300])
def test_a_list_has_the_root_that_py_trie_finds(count: int) -> None:
    chance = random.Random(count)
    values = [chance.randbytes(chance.choice([1, 3, 29, 31, 60, 200])) for _ in range(count)]
    assert ordered_root(values) == peer.ordered_root(values) == devnode_root(values)


def test_the_largest_block_there_can_be_has_the_root_that_the_devnode_finds() -> None:
    values = [index.to_bytes(4) for index in range(3_000)]
    assert ordered_root(values) == devnode_root(values)


@settings(deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=140))
def test_any_list_has_the_root_that_two_oracles_find(values: list[bytes]) -> None:
    assert ordered_root(values) == peer.ordered_root(values) == devnode_root(values)


def test_no_items_are_the_empty_root() -> None:
    assert ordered_root([]) == EMPTY_ROOT == peer.root({})


def test_an_order_is_part_of_a_root() -> None:
    assert ordered_root([b"a", b"b"]) != ordered_root([b"b", b"a"])
    assert ordered_root([b"a", b"b"]) != ordered_root([b"a"])


def test_an_empty_value_is_refused_by_its_place() -> None:
    with pytest.raises(ValueError, match="value 1 is empty"):
        ordered_root([b"a", b"", b"c"])
