"""What a caller asks and gets: one call, one reply to a group of calls."""

from collections.abc import Callable
from typing import Any

import msgspec


class Call(msgspec.Struct, frozen=True):
    """One JSON-RPC call. A struct and not a dataclass: creating one costs 0.1 µs instead of 0.8.

    `decode` takes the raw JSON of `result` (also b"null") and should return something immutable:
    callers that share an answer share the value. Whatever it raises becomes `BadAnswer`.
    """

    method: str
    params: tuple[object, ...]
    decode: Callable[[bytes], Any]


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """A stretch of a question's time, from `at_ms` after it was asked."""

    name: str
    """queue, l1, l2, shared, breaker, limiter, rate, pool, attempt, backoff, check:<name>."""
    at_ms: float
    ms: float
    node: str = ""
    note: str = ""
    """How it ended, where that is not told by the name: an error's reason, "hit", "miss"."""


class Reply(msgspec.Struct, frozen=True):
    """The values of a fetch in the order of its calls, all from one batch of one node."""

    values: tuple[Any, ...]
    node: str
    """The node's label: host, port and short id, never a credential."""
    raws: tuple[bytes, ...] = ()
    """The raw JSON of each `result`, as it came."""
    source: str = "node"
    """Who answered: "node", or the tier of the cache that still knew ("l1", "l2")."""
    age_s: float = 0.0
    """How long ago the node was asked."""
    spans: tuple[Span, ...] = ()
    """Where the time went."""
