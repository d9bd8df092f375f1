"""The root of a block's list (transactions, receipts, withdrawals): a trie keyed by `rlp(index)`.

Nothing is built: sorted keys make every node a run of neighbours, encoded once from its children
and forgotten.
"""

from collections.abc import Sequence

from tiny_keccak import keccak256

from validation.proofs import rlp

EMPTY_ROOT: bytes = keccak256(rlp.encode(b""))
"""The root of a trie without items."""

_HASH = 32
_NOTHING = rlp.encode(b"")


def ordered_root(values: Sequence[bytes]) -> bytes:
    """The root of the trie that holds `values[i]` under `rlp(i)`; no value may be empty."""
    count = len(values)
    if not count:
        return EMPTY_ROOT
    # The keys' own order: 0x01…0x7f, then 0x80 for nought, then those with a length in front.
    order = (*range(1, min(count, 0x80)), 0, *range(0x80, count))
    keys = [rlp.encode(rlp.uint(index)).hex() for index in order]
    ordered = [values[index] for index in order]
    if not all(ordered):
        raise ValueError(f"value {values.index(b'')} is empty: a trie holds no such thing")
    return keccak256(_node(keys, ordered, 0, count, 0))


def _node(keys: list[str], values: list[bytes], low: int, high: int, depth: int) -> bytes:
    """The encoded node over the items from `low` up to `high`, all alike before nibble `depth`."""
    first = keys[low]
    if high - low == 1:
        return rlp.sequence(_path(first[depth:], leaf=True) + rlp.encode(values[low]))
    # Sorted: what the first and the last share, all between share.
    last = keys[high - 1]
    fork = depth
    while first[fork] == last[fork]:
        fork += 1
    node = _branch(keys, values, low, high, fork)
    if fork == depth:
        return node
    return rlp.sequence(_path(first[depth:fork], leaf=False) + _reference(node))


def _branch(keys: list[str], values: list[bytes], low: int, high: int, depth: int) -> bytes:
    """Each child is a run of keys with one nibble; no key ends here, for none starts another."""
    children = [_NOTHING] * 17
    while low < high:
        nibble = keys[low][depth]
        end = low + 1
        while end < high and keys[end][depth] == nibble:
            end += 1
        children[int(nibble, 16)] = _reference(_node(keys, values, low, end, depth + 1))
        low = end
    return rlp.sequence(b"".join(children))


def _reference(node: bytes) -> bytes:
    """How a parent names a child: by its hash, or, where shorter than one, by holding it."""
    return node if len(node) < _HASH else b"\xa0" + keccak256(node)


def _path(nibbles: str, *, leaf: bool) -> bytes:
    """The item that spells a path: a flag, a nibble of padding where they are even, the nibbles."""
    if len(nibbles) % 2:
        flagged = ("3" if leaf else "1") + nibbles
    else:
        flagged = ("20" if leaf else "00") + nibbles
    return rlp.encode(bytes.fromhex(flagged))
