"""py-trie behind a few typed functions: it is an oracle here and a peer in the benches."""

from collections.abc import Mapping, Sequence
from typing import Any

import rlp
from trie import hexary

_Trie: Any = hexary.HexaryTrie  # its methods carry no types


def built(items: Mapping[bytes, bytes]) -> Any:
    trie = _Trie({}, prune=True)
    for key, value in items.items():
        trie[key] = value
    return trie


def root(items: Mapping[bytes, bytes]) -> bytes:
    return bytes(built(items).root_hash)


def ordered_root(values: Sequence[bytes]) -> bytes:
    return root({rlp.encode(index): value for index, value in enumerate(values)})


def proof(trie: Any, key: bytes) -> list[bytes]:
    """The encoded nodes towards `key`; embedded ones are listed once more."""
    return [rlp.encode(node) for node in trie.get_proof(key)]


def proven(state_root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    value = _Trie.get_from_proof(state_root, key, [rlp.decode(node) for node in nodes])
    return bytes(value) or None
