"""The flags that the engine asks for: key, type, and what holds where none can be read.

Asked through `openfeature.api.get_client("validation")` and nowhere else, once a unit, never once a
question. What a value means is said where its variants are: `validation.toggles`.
"""

from dataclasses import dataclass
from typing import Final

DOMAIN: Final = "validation"


@dataclass(frozen=True, slots=True)
class FlagKey[T: (str, int)]:
    """`default` is what this release runs with by itself."""

    key: str
    default: T


L1_EVICTION: Final = FlagKey("cache.l1_eviction", "s3fifo")
# Entries and seconds; 0: as L1_CACHE_SIZE and L1_TTL say.
L1_SIZE: Final = FlagKey("cache.l1_size", 0)
L1_TTL: Final = FlagKey("cache.l1_ttl", 0)
L1_EXPIRY: Final = FlagKey("cache.l1_expiry", "lazy")
L1_SIZING: Final = FlagKey("cache.l1_sizing", "adaptive")
CODEC: Final = FlagKey("cache.codec", "zstd-fast")
# Bytes below which a body is stored as it is; 0: as the codec says.
COMPRESSION_THRESHOLD: Final = FlagKey("cache.compression_threshold", 0)
CACHED_KINDS: Final = FlagKey("cache.kinds", "all")
WARMING: Final = FlagKey("cache.warming", "on")
FETCH_MODE: Final = FlagKey("rpc.fetch_mode", "coalesced")
KEEP_ALIVE: Final = FlagKey("rpc.keep_alive", "on")
# Sockets to a node.
POOL_SIZE: Final = FlagKey("rpc.pool_size", 8)
CONCURRENCY: Final = FlagKey("rpc.concurrency", "fixed")
RETRY: Final = FlagKey("rpc.retry", "budgeted")
SHARING: Final = FlagKey("rpc.sharing", "fleet")
HEDGING: Final = FlagKey("rpc.hedging", "off")
RATE_LIMIT: Final = FlagKey("rpc.rate_limit", "fleet")
BREAKER_USE: Final = FlagKey("breaker.use", "on")
BREAKER_WINDOW: Final = FlagKey("breaker.window", "time")
REQUEST_LOG: Final = FlagKey("logging.requests", "failures")
MEMORY_GUARD: Final = FlagKey("memory.guard", "on")
# Milliseconds after which Postgres ends a statement.
STATEMENT_TIMEOUT: Final = FlagKey("db.statement_timeout", 30_000)

# Of one item; all others are of a process.
OF_ITEMS: Final = (CACHED_KINDS, FETCH_MODE)
OF_PROCESSES: Final[tuple[FlagKey[str] | FlagKey[int], ...]] = (
    *(L1_EVICTION, L1_SIZE, L1_TTL, L1_EXPIRY, L1_SIZING, CODEC, COMPRESSION_THRESHOLD, WARMING),
    *(KEEP_ALIVE, POOL_SIZE, CONCURRENCY, RETRY, SHARING, HEDGING, RATE_LIMIT),
    *(BREAKER_USE, BREAKER_WINDOW, REQUEST_LOG, MEMORY_GUARD, STATEMENT_TIMEOUT),
)
ALL: Final = (*OF_ITEMS, *OF_PROCESSES)
