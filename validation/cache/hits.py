"""What goes in and out of the two tiers."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import msgspec

from validation.cache.freshness import Lifetime
from validation.rpc.timing import Timing


class Hit(msgspec.Struct, frozen=True, gc=False):
    """What is known and how: `source` is "node", "l1" or "l2"; `raws` are empty from L1."""

    values: Any
    raws: tuple[bytes, ...]
    node: str
    source: str
    age_s: float
    timing: Timing | None = None
    """Of the fetch that brought it, where a node did so now."""


class Made(msgspec.Struct, frozen=True, gc=False):
    """What a factory brings; without a lifetime it is not kept."""

    values: Any
    raws: tuple[bytes, ...]
    node: str
    lifetime: Lifetime | None
    timing: Timing | None = None


type Factory = Callable[[], Awaitable[Made]]
type Decode = Callable[[tuple[bytes, ...]], Any]
"""Values from the raw answers that L2 kept; whatever it raises makes them a miss."""


class Want(NamedTuple):
    """One key to look up, and how to read what L2 has of it."""

    key: bytes
    kind: str
    decode: Decode
