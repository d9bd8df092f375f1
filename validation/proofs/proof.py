"""What the nodes of a Merkle-Patricia proof show under a root: a value, or that there is none.

Only what is on the way is read: of a branch the wanted child is sliced out, its siblings are
measured and their hash vouches for them.
"""

from collections.abc import Sequence

from tiny_keccak import keccak256

from validation.proofs import rlp
from validation.proofs.trie import EMPTY_ROOT

MAX_NODE_BYTES = 2**20

_HASH = 32
_HASH_LEAD = 0x80 + _HASH
_LIST_LEAD = 0xC0
_NOTHING = b"\x80"
_BRANCH_ITEMS, _LEAF_ITEMS = 17, 2

# A branch with all sixteen children hashed, as nearly all are near the root.
_FULL_BYTES = 532
_FULL_HEAD = b"\xf9\x02\x11"
_FULL_LEADS = bytes((_HASH_LEAD,)) * 16

_SETTLED = -1

type _Step = tuple[bytes | None, int]
"""Where the path goes on and its depth there, or what it came to and `_SETTLED`.

Where it goes on is the 32 bytes of a hash, or the shorter encoding of an embedded node.
"""


class BadProof(ValueError):
    """The nodes prove nothing about the key; says which node, counted from 1, and why."""


def prove(root: bytes, key: bytes, nodes: Sequence[bytes]) -> bytes | None:
    """The value under `key` (hashed already) in the trie of `root`; None where it has none.

    `nodes` are those from the root on, each needed and none missing: else `BadProof`. A node that
    its parent embeds may be listed once more or not: makers of proofs differ.
    """
    if len(root) != _HASH:
        raise BadProof(f"a root has {_HASH} bytes, not {len(root)}")
    if root == EMPTY_ROOT and (not nodes or list(nodes) == [_NOTHING]):
        return None
    path, depth, place, count = key.hex(), 0, 0, len(nodes)
    found: bytes | None = root
    while depth != _SETTLED and found is not None:
        node = nodes[place] if place < count else b""
        try:
            if len(found) == _HASH:
                place += 1
                _vouched(node, found)
            else:
                place += node == found
                node = found
            found, depth = _step(node, path, depth)
        except rlp.Malformed as exc:
            raise BadProof(f"node {place} of {count} {exc}") from exc
    if place < count:
        raise BadProof(f"node {place + 1} of {count} is surplus: those before it settle the key")
    return found


def _vouched(node: bytes, wanted: bytes) -> None:
    if not node:
        raise rlp.Malformed(f"is missing: the one whose hash is 0x{wanted.hex()}")
    if len(node) > MAX_NODE_BYTES:
        raise rlp.Malformed(f"has {len(node)} bytes, more than {MAX_NODE_BYTES}")
    if (found := keccak256(node)) != wanted:
        raise rlp.Malformed(f"has the hash 0x{found.hex()}, not 0x{wanted.hex()}")


def _step(node: bytes, path: str, depth: int) -> _Step:
    """Where one node leads that stands at `depth` of the path."""
    if (
        len(node) == _FULL_BYTES
        and node.startswith(_FULL_HEAD)
        and node[3:531:33] == _FULL_LEADS
        and depth < len(path)
    ):
        at = 4 + 33 * int(path[depth], 16)
        return node[at : at + _HASH], depth + 1
    starts = _starts(node)
    if len(starts) == _BRANCH_ITEMS + 1:
        return _branch(node, starts, path, depth)
    if len(starts) == _LEAF_ITEMS + 1:
        return _short(node, starts, path, depth)
    raise rlp.Malformed(f"is malformed: a list of {len(starts) - 1} items, not 2 or 17")


def _starts(node: bytes) -> list[int]:
    """Where each item of a node's list starts, and where the last ends."""
    at, end, is_list = rlp.head(node, 0, len(node))
    if not is_list or end != len(node):
        raise rlp.Malformed("is malformed: not exactly one list")
    starts = [at]
    while at < end and len(starts) <= _BRANCH_ITEMS:
        lead = node[at]
        if lead == _HASH_LEAD:
            at += 1 + _HASH
        elif lead <= _HASH_LEAD - _HASH:
            at += 1
        else:
            at = rlp.head(node, at, end)[1]
        starts.append(at)
    if at != end:
        raise rlp.Malformed("is malformed: its items are not its length, or more than 17")
    return starts


def _branch(node: bytes, starts: list[int], path: str, depth: int) -> _Step:
    if depth == len(path):
        return _value(node, starts[16]), _SETTLED
    nibble = int(path[depth], 16)
    return _child(node[starts[nibble] : starts[nibble + 1]], depth + 1)


def _short(node: bytes, starts: list[int], path: str, depth: int) -> _Step:
    """A leaf or an extension: a path of its own, then a value or a child."""
    start, end, is_list = rlp.head(node, starts[0], starts[1])
    flagged = node[start:end].hex()
    flag = flagged[:1]
    if is_list or flag not in {"0", "1", "2", "3"} or (flag in "02" and flagged[1] != "0"):
        raise rlp.Malformed(f"is malformed: no path starts 0x{flagged[:2]}")
    own = flagged[2:] if flag in "02" else flagged[1:]
    if flag in "23":
        if path[depth:] != own:
            return None, _SETTLED
        return _value(node, starts[1]), _SETTLED
    if not own:
        raise rlp.Malformed("is malformed: an extension with no path")
    if not path.startswith(own, depth):
        return None, _SETTLED
    child, after = _child(node[starts[1] :], depth + len(own))
    if child is None:
        raise rlp.Malformed("is malformed: an extension that leads nowhere")
    return child, after


def _child(reference: bytes, depth: int) -> _Step:
    """`reference` is the encoded item of a branch or an extension."""
    if reference == _NOTHING:
        return None, _SETTLED
    lead, size = reference[0], len(reference)
    if lead == _HASH_LEAD:
        return reference[1:], depth
    if lead >= _LIST_LEAD and size < _HASH:
        return reference, depth
    raise rlp.Malformed(f"is malformed: a child named by {size} bytes that are no hash or node")


def _value(node: bytes, at: int) -> bytes | None:
    """The string that ends a node; an empty one is none."""
    start, end, is_list = rlp.head(node, at, len(node))
    if is_list:
        raise rlp.Malformed("is malformed: a list where a value belongs")
    return node[start:end] or None
