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
_known: dict[str, bool] = {}


def class_of(calls: Sequence[Call]) -> MethodClass:
    """A fetch is as heavy as its heaviest call."""
    for call in calls:
        is_heavy = _known.get(call.method)
        if is_heavy is None:
            is_heavy = _is_heavy(call.method)
        if is_heavy:
            return "block"
    return "lookup"


def breaker_name(node: NodeUrl, kind: MethodClass) -> str:
    """`node:<label>:<class>`; in URLs, where this name goes, '#' would end the path."""
    return f"node:{node.label.replace('#', '~')}:{kind}"


def _is_heavy(method: str) -> bool:
    is_heavy = method.startswith(_BLOCK_PREFIX) or method in _BLOCK_METHODS
    if len(_known) < 1000:  # noqa: PLR2004 - methods are a handful; a bound all the same
        _known[method] = is_heavy
    return is_heavy
