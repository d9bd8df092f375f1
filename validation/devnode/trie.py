"""A Merkle-Patricia trie built once from all its items: its root, and proofs of its keys."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tiny_keccak import keccak256

from validation.devnode import rlp

EMPTY_ROOT: bytes = keccak256(rlp.encode(b""))

type Item = tuple[tuple[int, ...], bytes]  # the key's nibbles, the value
type Reference = bytes | list[object]  # a node's hash, or the node itself where shorter than one


def nibbles(key: bytes) -> tuple[int, ...]:
    return tuple(half for byte in key for half in (byte >> 4, byte & 15))


def _hex_prefix(path: tuple[int, ...], *, leaf: bool) -> bytes:
    flag = 2 if leaf else 0
    padded = (flag + 1, *path) if len(path) % 2 else (flag, 0, *path)
    return bytes(padded[i] << 4 | padded[i + 1] for i in range(0, len(padded), 2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """`path` is what the node itself spells; a branch spells nothing and has children by nibble."""

    encoded: bytes
    reference: Reference
    path: tuple[int, ...]
    children: Mapping[int, "Node"]  # extension: its one child under its path's last nibble


def _node(
    fields: list[object], path: tuple[int, ...], children: Mapping[int, Node] | None = None
) -> Node:
    encoded = rlp.encode(fields)
    reference = keccak256(encoded) if len(encoded) >= 32 else fields  # noqa: PLR2004 - a hash's size
    return Node(encoded=encoded, reference=reference, path=path, children=children or {})


def _shared(first: tuple[int, ...], last: tuple[int, ...], depth: int) -> int:
    """How far two paths agree; in a sorted list the first and last tell it for all between."""
    end = min(len(first), len(last))
    i = depth
    while i < end and first[i] == last[i]:
        i += 1
    return i


def _build(items: list[Item], depth: int) -> Node:
    key, value = items[0]
    if len(items) == 1:
        path = key[depth:]
        return _node([_hex_prefix(path, leaf=True), value], path)
    fork = _shared(key, items[-1][0], depth)
    if fork > depth:
        child = _build(items, fork)
        path = key[depth:fork]
        return _node([_hex_prefix(path, leaf=False), child.reference], path, {path[-1]: child})
    return _branch(items, depth)


def _branch(items: list[Item], depth: int) -> Node:
    here = b""
    groups: dict[int, list[Item]] = {}
    for item in items:
        if len(item[0]) == depth:
            here = item[1]
        else:
            groups.setdefault(item[0][depth], []).append(item)
    children = {nibble: _build(group, depth + 1) for nibble, group in groups.items()}
    refs = [children[n].reference if n in children else b"" for n in range(16)]
    return _node([*refs, here], (), children)


class Trie:
    """Holds every node; `items` are raw keys (already hashed where the trie is a secure one)."""

    def __init__(self, items: Iterable[tuple[bytes, bytes]]) -> None:
        ordered = sorted((nibbles(key), value) for key, value in items)
        self._top = _build(ordered, 0) if ordered else None

    @property
    def root(self) -> bytes:
        return keccak256(self._top.encoded) if self._top else EMPTY_ROOT

    def proof(self, key: bytes) -> list[bytes]:
        """The encoded nodes from the root towards `key`; where it is absent, those that show it."""
        wanted = nibbles(key)
        node, depth, found = self._top, 0, list[bytes]()
        while node is not None:
            # A node shorter than a hash sits inside its parent and is not listed again.
            if not found or isinstance(node.reference, bytes):
                found.append(node.encoded)
            node, depth = _step(node, wanted, depth)
        return found


def _step(node: Node, wanted: tuple[int, ...], depth: int) -> tuple[Node | None, int]:
    if not node.children or wanted[depth : depth + len(node.path)] != node.path:
        return None, depth
    if node.path:
        return node.children[node.path[-1]], depth + len(node.path)
    return (node.children.get(wanted[depth]), depth + 1) if depth < len(wanted) else (None, depth)
