"""One table: what each flag of a process does to the parts of the engine, and what they say then.

A variant is looked up by name in the part that it belongs to; nothing here asks which one it is.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from validation import flags
from validation.cache import TieredCache
from validation.cache.variants import Variants
from validation.resilience import Breakers
from validation.rpc import RateBudgets, RpcClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What flags steer in one process. `clients` may be none, or several."""

    cache: TieredCache
    breakers: Breakers
    budgets: RateBudgets
    clients: tuple[RpcClient, ...]


class Toggle(Protocol):
    """`apply` on the loop's thread; `in_force` on any."""

    def apply(self, parts: Parts, value: Any) -> None:
        """Raises ValueError for what this release does not know; nothing has changed then."""

    def in_force(self, parts: Parts) -> str:
        """What the parts say of themselves; "" where none is there to say it."""


@dataclass(frozen=True, slots=True)
class OfCache:
    set: Callable[[Variants, Any], None]
    read: Callable[[Variants], object]

    def apply(self, parts: Parts, value: Any) -> None:
        self.set(parts.cache.variants, value)

    def in_force(self, parts: Parts) -> str:
        return _text(self.read(parts.cache.variants))


@dataclass(frozen=True, slots=True)
class OfClients:
    """Of every client, those made later included."""

    set: Callable[[RpcClient, Any], None]
    read: Callable[[RpcClient], object]

    def apply(self, parts: Parts, value: Any) -> None:
        for client in parts.clients:
            self.set(client, value)

    def in_force(self, parts: Parts) -> str:
        return "; ".join(dict.fromkeys(_text(self.read(client)) for client in parts.clients))


# Which share of a node's answers a hedge waits for.
_QUANTILES: Final[Mapping[str, float | None]] = {"off": None, "p95": 0.95}

TOGGLES: Final[Mapping[str, Toggle]] = {
    flags.L1_EVICTION.key: OfCache(Variants.set_policy, lambda of: of.policy),
    flags.L1_SIZE.key: OfCache(Variants.set_max_entries, lambda of: of.max_entries),
    flags.L1_TTL.key: OfCache(Variants.set_ttl, lambda of: of.ttl_s),
    flags.L1_EXPIRY.key: OfCache(Variants.set_expiry, lambda of: of.expiry),
    flags.L1_SIZING.key: OfCache(Variants.set_sizing, lambda of: of.sizing),
    flags.CODEC.key: OfCache(Variants.set_codec, lambda of: of.codec),
    flags.COMPRESSION_THRESHOLD.key: OfCache(Variants.set_threshold, lambda of: of.threshold),
    flags.WARMING.key: OfCache(Variants.set_warming, lambda of: of.warming),
    flags.CONCURRENCY.key: OfClients(
        RpcClient.set_limiter, lambda of: next((pool.limiter for pool in of.pools()), "")
    ),
}


def _text(told: object) -> str:
    return f"{told:g}" if isinstance(told, float) else str(told)
