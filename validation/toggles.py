"""One table: what each flag of a process does to the parts of the engine, and what they say then.

A variant is looked up by name in the part that it belongs to; nothing here asks which one it is.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from validation import flags
from validation.cache import TieredCache
from validation.cache.variants import Variants
from validation.cache.views import KEPT
from validation.engine import Engine
from validation.memory import MemoryGuard
from validation.resilience import Breakers
from validation.rpc import FORMS, RateBudgets, RpcClient
from validation.timeouts import SessionTimeouts


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What flags steer in one process. `engines` may be none, or several."""

    cache: TieredCache
    breakers: Breakers
    budgets: RateBudgets
    guard: MemoryGuard
    engines: tuple[Engine, ...]
    timeouts: SessionTimeouts = field(default_factory=SessionTimeouts)


class Toggle(Protocol):
    """`apply` on the loop's thread; `in_force` on any."""

    def apply(self, parts: Parts, value: Any) -> None:
        """Raises ValueError for what this release does not know; nothing has changed then. Anything
        else is a defect: what came before it has changed, and all of it is tried again.
        """

    def equip(self, engine: Engine, value: Any) -> None:
        """As `apply`, of one engine that was just made and nothing else. Any thread."""

    def in_force(self, parts: Parts) -> str:
        """What the parts say of themselves; "" where none is there to say it."""


@dataclass(frozen=True, slots=True)
class Of[Part]:
    """Of one part, that there is always."""

    find: Callable[[Parts], Part]
    set: Callable[[Part, Any], None]
    read: Callable[[Part], object]

    def apply(self, parts: Parts, value: Any) -> None:
        self.set(self.find(parts), value)

    def equip(self, engine: Engine, value: Any) -> None:
        del engine, value

    def in_force(self, parts: Parts) -> str:
        return _text(self.read(self.find(parts)))


@dataclass(frozen=True, slots=True)
class OfEngines:
    """Of every engine, those made later included."""

    set: Callable[[Engine, Any], None]
    read: Callable[[Engine], object]

    def apply(self, parts: Parts, value: Any) -> None:
        for engine in parts.engines:
            self.set(engine, value)

    def equip(self, engine: Engine, value: Any) -> None:
        self.set(engine, value)

    def in_force(self, parts: Parts) -> str:
        return "; ".join(dict.fromkeys(_text(self.read(engine)) for engine in parts.engines))


@dataclass(frozen=True, slots=True)
class Both:
    """One flag of two kinds of parts; the first refuses what it does not know before the second is
    asked, and tells. Should the second fail, the first has changed: the flag counts as refused, and
    both are tried again.
    """

    first: Toggle
    second: Toggle

    def apply(self, parts: Parts, value: Any) -> None:
        self.first.apply(parts, value)
        self.second.apply(parts, value)

    def equip(self, engine: Engine, value: Any) -> None:
        self.first.equip(engine, value)
        self.second.equip(engine, value)

    def in_force(self, parts: Parts) -> str:
        return self.first.in_force(parts)


def _of_cache(
    set_to: Callable[[Variants, Any], None], read: Callable[[Variants], object]
) -> Toggle:
    return Of(lambda parts: parts.cache.variants, set_to, read)


def _of_clients(
    set_to: Callable[[RpcClient, Any], None], read: Callable[[RpcClient], object]
) -> Toggle:
    return OfEngines(lambda of, value: set_to(of.client, value), lambda of: read(of.client))


def _share(engine: Engine, name: str) -> None:
    """Engines share among the callers of this process; in the fleet, the cache does it for them."""
    joins = _known(_JOINS, name)
    engine.client.set_sharing(joins)
    engine.share(flights=joins)


_JOINS: Final = {"off": False, "process": True, "fleet": True}
_REUSES: Final = {"off": False, "on": True}
# Which share of a node's answers a hedge waits for.
_QUANTILES: Final[Mapping[str, float | None]] = {"off": None, "p95": 0.95}

TOGGLES: Final[Mapping[str, Toggle]] = {
    flags.L1_EVICTION.key: _of_cache(Variants.set_policy, lambda of: of.policy),
    flags.L1_SIZE.key: _of_cache(Variants.set_max_entries, lambda of: of.max_entries),
    flags.L1_TTL.key: _of_cache(Variants.set_ttl, lambda of: of.ttl_s),
    flags.L1_EXPIRY.key: _of_cache(Variants.set_expiry, lambda of: of.expiry),
    flags.L1_SIZING.key: _of_cache(Variants.set_sizing, lambda of: of.sizing),
    flags.CODEC.key: _of_cache(Variants.set_codec, lambda of: of.codec),
    flags.COMPRESSION_THRESHOLD.key: _of_cache(Variants.set_threshold, lambda of: of.threshold),
    flags.WARMING.key: _of_cache(Variants.set_warming, lambda of: of.warming),
    flags.KEEP_ALIVE.key: _of_clients(
        lambda of, name: of.set_keep_alive(_known(_REUSES, name)),
        lambda of: _name(_REUSES, of.keep_alive),
    ),
    flags.POOL_SIZE.key: _of_clients(RpcClient.set_pool_size, lambda of: of.pool_size),
    flags.CONCURRENCY.key: _of_clients(RpcClient.set_limiter, lambda of: of.limiter),
    flags.RETRY.key: _of_clients(RpcClient.set_retry, lambda of: of.retry),
    # The cache first: it refuses a name that there is none of.
    flags.SHARING.key: Both(
        _of_cache(Variants.set_sharing, lambda of: of.sharing),
        OfEngines(_share, lambda of: of.client.sharing),
    ),
    flags.HEDGING.key: _of_clients(
        lambda of, name: of.set_hedging(_known(_QUANTILES, name)),
        lambda of: _name(_QUANTILES, of.hedging),
    ),
    flags.RATE_LIMIT.key: Of(
        lambda parts: parts.budgets, RateBudgets.set_scope, lambda of: of.scope
    ),
    flags.BREAKER_USE.key: Of(
        lambda parts: parts.breakers,
        Breakers.set_use,
        lambda of: of.use or flags.BREAKER_USE.default,
    ),
    flags.BREAKER_WINDOW.key: Of(
        lambda parts: parts.breakers,
        Breakers.set_window,
        lambda of: of.window or flags.BREAKER_WINDOW.default,
    ),
    flags.REQUEST_LOG.key: _of_clients(RpcClient.set_request_log, lambda of: of.request_log),
    flags.MEMORY_GUARD.key: Of(lambda parts: parts.guard, MemoryGuard.set_use, lambda of: of.use),
    flags.STATEMENT_TIMEOUT.key: Of(
        lambda parts: parts.timeouts, SessionTimeouts.set, lambda of: of.in_force
    ),
}


# What items are split between, by the key of the flag.
ITEM_VARIANTS: Final[Mapping[str, Collection[str]]] = {
    flags.FETCH_MODE.key: FORMS,
    flags.CACHED_KINDS.key: KEPT,
}


def _known[T](values: Mapping[str, T], name: str) -> T:
    if name not in values:
        raise ValueError(f"there is none named {name!r}; one of {', '.join(values)}")
    return values[name]


def _name[T](values: Mapping[str, T], value: T) -> str:
    return next((name for name, known in values.items() if known == value), str(value))


def _text(told: object) -> str:
    return f"{told:g}" if isinstance(told, float) else str(told)
