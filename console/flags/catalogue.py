"""The flags of this release: variants, baseline and unit of each optimisation that has a toggle.

Loaded into Postgres by `console.flags.loading`, which leaves what operators changed. The baseline
is what the sources describe as the old behaviour. `console/roadmap/decisions.toml` says which
optimisation of theirs each flag belongs to.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.flags.models import Unit
from validation import flags as keys
from validation.flags import FlagKey

type Requirement = tuple[str, str]
"""A flag, and the variant of it that must be in force everywhere."""

BAKE_S: Final[Mapping[int, int]] = {5: 600, 25: 600, 50: 600}


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """`variants`, the baseline first; `ships` is the one that a new deployment begins with, on all
    its units (the baseline: on none). `wired` names no part of ours that reads it yet where false.
    """

    key: str
    title: str
    description: str
    variants: Mapping[str, Any]
    ships: str
    unit: Unit = Unit.PROCESS
    # "worker", "web", or both.
    fleet: str = "worker"
    layer: str = ""
    requires: tuple[Requirement, ...] = ()
    wired: bool = True

    @property
    def baseline(self) -> str:
        return next(iter(self.variants))

    @property
    def type(self) -> str:
        return "integer" if isinstance(self.variants[self.baseline], int) else "string"

    @property
    def units(self) -> tuple[Unit, ...]:
        """What divides more finely may be rolled out by what divides less finely."""
        return tuple(Unit)[tuple(Unit).index(self.unit) :]


def _names(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _of(
    asked: FlagKey[Any], title: str, variants: Mapping[str, Any], ships: str, text: str, **more: Any
) -> Definition:
    return Definition(
        key=asked.key, title=title, description=text, variants=variants, ships=ships, **more
    )


# Web's own: `console.flags.web` asks for them.
WEB_COMPRESSION: Final = FlagKey("web.compression", "brotli")
WEB_COMPRESSION_THRESHOLD: Final = FlagKey("web.compression_threshold", 1024)
EXPORTS_STREAMING: Final = FlagKey("exports.streaming", "streamed")
API_QUOTAS: Final = FlagKey("api.quotas", "leased")
DB_POOL_FORMULA: Final = FlagKey("db.pool_formula", "deployment")
REPLICA_ROUTING: Final = FlagKey("db.replica_routing", "weighted")

CATALOGUE: Final[tuple[Definition, ...]] = (
    _of(
        keys.L1_EVICTION, "Eviction from L1", _names("fifo", "lru", "sieve", "s3fifo", "tinylfu"),
        "s3fifo", "Which entry goes when a worker's L1 is full.", layer="l1",
    ),
    _of(
        keys.L1_SIZE, "Size of L1",
        {"1000": 1000, "5000": 5000, "10000": 10_000, "deployment": 0},
        "deployment",
        "Entries in a worker's L1. An operator's resize goes before it; deployment: L1_CACHE_SIZE.",
        layer="l1",
    ),
    _of(
        keys.L1_TTL, "Time in L1", {"60": 60, "300": 300, "deployment": 0}, "deployment",
        "Seconds that L1 keeps anything at most; deployment: L1_TTL.", layer="l1",
    ),
    _of(
        keys.L1_EXPIRY, "Expiry in L1", _names("sweep", "lazy"), "lazy",
        "When the room of what has expired is given back: by walking all entries every minute, or "
        "when it is asked for or evicted.", layer="l1",
    ),
    _of(
        keys.L1_SIZING, "Adaptive size of L1", _names("fixed", "adaptive"), "adaptive",
        "Whether the bytes of L1 follow the memory that the machine has left.", layer="l1",
    ),
    _of(
        keys.CODEC, "Compression in L2",
        _names("base64", "none", "gzip", "brotli", "zstd-fast", "zstd"), "zstd-fast",
        "How bodies are stored in Valkey. Base64 is what the sources found under the name of "
        "compression; whatever one variant wrote, all read.", layer="l2",
    ),
    _of(
        keys.COMPRESSION_THRESHOLD, "Compression from",
        {"5120": 5120, "1024": 1024, "512": 512, "codec": 0}, "codec",
        "Bytes below which a body is stored as it is; codec: as each codec pays off.", layer="l2",
    ),
    _of(
        keys.CACHED_KINDS, "Results cached by kind", _names("tx", "none", "all"), "all",
        "Whose answers are kept: of transactions alone, of nothing, or of blocks, addresses and "
        "heads as well.", unit=Unit.ITEM, layer="cache",
    ),
    _of(
        keys.WARMING, "Warming of L1", _names("off", "on"), "on",
        "Whether a worker that starts reads the fleet's hot keys from Valkey first.", layer="l1",
    ),
    _of(
        keys.FETCH_MODE, "How an item's calls are asked",
        _names("sequential", "parallel", "batch", "coalesced"), "coalesced",
        "One after the other, each by itself at once, in one request, or in one with those of "
        "other items.", unit=Unit.ITEM, layer="rpc",
    ),
    _of(
        keys.KEEP_ALIVE, "Keep-alive to nodes", _names("off", "on"), "on",
        "Whether a connection to a node is used again.", layer="rpc",
    ),
    _of(
        keys.POOL_SIZE, "Sockets to a node", {"512": 512, "256": 256, "50": 50, "8": 8}, "8",
        "Connections that a worker may have with one node.", layer="rpc",
    ),
    _of(
        keys.CONCURRENCY, "Limit of calls in flight", _names("none", "fixed", "adaptive"), "fixed",
        "What bounds the calls that are with a node at once.", layer="rpc",
    ),
    _of(
        keys.RETRY, "Retries", _names("none", "backoff", "budgeted"), "budgeted",
        "Whether a call that failed is asked again: never, three times with growing pauses, or "
        "within a budget of a tenth of all calls.", layer="rpc",
    ),
    _of(
        keys.SHARING, "In-flight sharing", _names("off", "process", "fleet"), "fleet",
        "Who that asks the same at the same time shares one answer.", layer="rpc",
    ),
    _of(
        keys.HEDGING, "Hedged calls", _names("off", "p95"), "off",
        "Whether a second node is asked where the first is slower than 95 % of its answers.",
        layer="rpc",
    ),
    _of(
        keys.RATE_LIMIT, "Rate limit of nodes", _names("process", "fleet"), "fleet",
        "Whether NODE_RATE_LIMIT is each process's own, or counted for the fleet in Valkey.",
        layer="rpc",
    ),
    _of(
        keys.BREAKER_USE, "Use of breakers", _names("off", "metrics_only", "on"), "on",
        "Whether breakers are kept at all, only computed, or heeded.", layer="breakers",
    ),
    _of(
        keys.BREAKER_WINDOW, "Window of breakers", _names("list", "count", "time"), "time",
        "Where a breaker's calls are counted: a list of the latest, a ring of the last, or buckets "
        "of time.",
        layer="breakers",
    ),
    _of(
        keys.REQUEST_LOG, "Log of requests", _names("all", "sampled", "failures"), "failures",
        "Which requests to nodes and of browsers are logged: each, one in a hundred, or those that "
        "failed or were slow.", fleet="all",
    ),
    _of(
        keys.MEMORY_GUARD, "Memory guard", _names("off", "on"), "on",
        "Whether a worker near its memory's limit empties half of L1, then all, and takes no work.",
    ),
    _of(
        WEB_COMPRESSION, "Compression of answers", _names("none", "gzip", "brotli"), "brotli",
        "How pages and the API's answers go out to who accepts it.", fleet="web", layer="web",
    ),
    _of(
        WEB_COMPRESSION_THRESHOLD, "Compression of answers from",
        {"5120": 5120, "1024": 1024}, "1024", "Bytes below which an answer goes out as it is.",
        fleet="web", layer="web",
    ),
    _of(
        EXPORTS_STREAMING, "Streaming of exports", _names("buffered", "streamed"), "streamed",
        "Whether an export is gathered before its first byte, or sent as it is read.", fleet="web",
        layer="web",
    ),
    _of(
        API_QUOTAS, "Quotas of tokens", _names("process", "shared", "leased"), "leased",
        "Where a token's calls are counted: in each process, in Valkey at each call, or in Valkey "
        "by leases of many calls.", fleet="web", layer="web",
    ),
    _of(
        DB_POOL_FORMULA, "Size of the database pool",
        _names("cpu8_300", "cpu2_4", "cpu2_10", "cpu4_100", "deployment"), "deployment",
        "How many connections a web process may hold, by its processors; deployment: DB_POOL_MAX. "
        "A larger pool opens its least at once; a smaller one gives back what stays unused.",
        fleet="web", layer="database",
    ),
    _of(
        keys.STATEMENT_TIMEOUT, "Statement timeout", {"7500": 7500, "30000": 30_000}, "30000",
        "Milliseconds after which Postgres ends a statement; with 7500 a transaction may lie idle "
        "for 60 s, with 30000 for 30. Behind a pooler the role's own settings hold.",
        fleet="all", layer="database",
    ),
    _of(
        REPLICA_ROUTING, "Reads from replicas", _names("off", "weighted", "nearest"), "weighted",
        "Whether lists, finished validations and downloads are read from the replicas of "
        "DATABASE_REPLICA_URLS: by their weights, or from the one that answers soonest. Without "
        "replicas all variants are the same.", fleet="web", layer="database",
    ),
)  # fmt: skip

BY_KEY: Final = {definition.key: definition for definition in CATALOGUE}
