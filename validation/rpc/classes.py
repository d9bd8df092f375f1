"""The classes of methods that break apart from each other: a node may find transactions as ever
while its blocks or proofs time out.
"""

from collections.abc import Sequence
from typing import Final, Literal

from validation.rpc.calls import Call
from validation.rpc.endpoints import NodeUrl

type MethodClass = Literal["lookup", "block"]

CLASSES: Final[tuple[MethodClass, ...]] = ("lookup", "block")

# Whole blocks and proofs: what costs a node a hundred times more than a look-up.
_BLOCK_PREFIX = "eth_getBlock"
_BLOCK_METHODS = frozenset({"eth_getProof"})
_MOST_SHAPES = 1000

type Shape = tuple[tuple[str, ...], MethodClass]
"""The methods of a fetch, call by call, and their class: that of the heaviest."""

_shapes: dict[tuple[str, ...], Shape] = {}


def shape_of(calls: Sequence[Call]) -> Shape:
    """Found rather than made: the fetches of a process are of a few shapes."""
    methods = tuple([call.method for call in calls])
    known = _shapes.get(methods)
    if known is not None:
        return known
    shape: Shape = (methods, "block" if any(map(_is_heavy, methods)) else "lookup")
    if len(_shapes) < _MOST_SHAPES:
        _shapes[methods] = shape
    return shape


def breaker_name(node: NodeUrl, kind: MethodClass) -> str:
    """`node:<label>:<class>`; in URLs, where this name goes, '#' would end the path."""
    return f"node:{node.label.replace('#', '~')}:{kind}"


def _is_heavy(method: str) -> bool:
    return method.startswith(_BLOCK_PREFIX) or method in _BLOCK_METHODS
