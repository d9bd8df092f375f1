"""What each flag of the workers does that can be seen from outside, variant by variant.

Most effects are counted, at the node, in Valkey or by the workers. Where nothing can be counted
within seconds (how long L1 keeps an entry, in which order it lets go of them), what the part says
of itself stands for it; the part's own tests hold it to its promise.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from monitoring.snapshots import WorkerSnapshot
from tests.flags.walking import Seen
from validation import flags

type Effect = Callable[[Seen, Seen], bool]
"""Whether it shows in what happened between two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`told`: what a worker says is in force, by variant; `effects` where something is counted.
    `fails`: the share of calls that the node fails meanwhile.
    """

    told: Mapping[str, str]
    effects: Mapping[str, Effect]
    fails: float = 0.0
    purged: bool = False
    """The cache is emptied, so that there is something to write."""
    mode: str = "coalesced"
    """How an item's calls are asked meanwhile: in parallel there are many requests to look at."""
    uncached: bool = True
    """Nothing is kept meanwhile, so that there is something to ask."""


def _grown(first: Seen, last: Seen, *names: str) -> int:
    return sum(last.sums[name] - first.sums[name] for name in names)


def _all(holds: Callable[[WorkerSnapshot], bool]) -> Effect:
    return lambda _first, last: all(holds(worker) for worker in last.workers)


def _grows(*names: str) -> Effect:
    return lambda first, last: _grown(first, last, *names) > 0


def _stays(name: str, *, while_grows: str) -> Effect:
    return lambda first, last: (
        _grown(first, last, name) == 0 and _grown(first, last, while_grows) > 0
    )


def _ratio(of: str, to: str, low: float, high: float) -> Effect:
    def holds(first: Seen, last: Seen) -> bool:
        base = _grown(first, last, to)
        return base > 0 and low <= _grown(first, last, of) / base <= high

    return holds


def _lines(low: float, high: float) -> Effect:
    """Logged requests, as a share of all."""

    def holds(first: Seen, last: Seen) -> bool:
        requests = _grown(first, last, "requests")
        return requests > 0 and low <= (last.lines - first.lines) / requests <= high

    return holds


def _looked(*, tx: bool, others: bool) -> Effect:
    """Which kinds the cache is asked for."""

    def holds(first: Seen, last: Seen) -> bool:
        other = _grown(first, last, "looked block", "looked address", "looked evidence")
        return (_grown(first, last, "looked tx") > 0, other > 0) == (tx, others)

    return holds


def _only(codec: str) -> Effect:
    """Nothing else is written, but for bodies too small to compress."""

    def holds(first: Seen, last: Seen) -> bool:
        names = [name for name in last.sums if name.startswith("codec ")]
        wrote = {name for name in names if _grown(first, last, name)}
        return f"codec {codec}" in wrote and wrote <= {f"codec {codec}", "codec none"}

    return holds


def _same(*names: str) -> dict[str, str]:
    return {name: name for name in names}


def _cache(field: str, **values: object) -> dict[str, Effect]:
    """What the workers' cache reports say."""
    return {
        variant: _all(lambda worker, v=value: getattr(worker.cache, field) == v)  # type: ignore[misc]
        for variant, value in values.items()
    }


def _breakers(*states: str) -> Effect:
    return _all(lambda worker: {each.state for each in worker.breakers} <= set(states))


def _pools(field: str, value: object) -> Effect:
    return _all(lambda worker: {getattr(pool, field) for pool in worker.pools} == {value})


def _guard(name: str) -> Effect:
    return _all(lambda worker: worker.memory is not None and worker.memory.guard == name)


_SIZES: Final = {"1000": "1000", "5000": "5000", "10000": "10000", "deployment": "10000"}
_POOLS: Final = ("512", "256", "50", "8")

WALKS: Final[Mapping[str, Walk]] = {
    flags.L1_EVICTION.key: Walk(
        told=_same("fifo", "lru", "sieve", "s3fifo", "tinylfu"),
        effects=_cache("policy", **_same("fifo", "lru", "sieve", "s3fifo", "tinylfu")),
        uncached=False,
    ),
    flags.L1_SIZE.key: Walk(
        told=_SIZES,
        effects=_cache("max_entries", **{name: int(size) for name, size in _SIZES.items()}),
        uncached=False,
    ),
    flags.L1_TTL.key: Walk(
        told={"60": "60", "300": "300", "deployment": "300"}, effects={}, uncached=False
    ),
    flags.L1_EXPIRY.key: Walk(told=_same("sweep", "lazy"), effects={}, uncached=False),
    flags.L1_SIZING.key: Walk(told=_same("fixed", "adaptive"), effects={}, uncached=False),
    flags.CODEC.key: Walk(
        told=_same("base64", "none", "gzip", "brotli", "zstd-fast", "zstd"),
        effects={
            name: _only(name) for name in ("base64", "none", "gzip", "brotli", "zstd-fast", "zstd")
        },
        purged=True,
        uncached=False,
    ),
    flags.COMPRESSION_THRESHOLD.key: Walk(
        told={"5120": "5120", "1024": "1024", "512": "512", "codec": "0"},
        # Of the bodies of this chain few are that long.
        effects={
            "5120": _ratio("codec none", "codec zstd-fast", 2.0, float("inf")),
            "codec": _ratio("codec none", "codec zstd-fast", 0.0, 1.0),
        },
        purged=True,
        uncached=False,
    ),
    flags.CACHED_KINDS.key: Walk(
        told=_same("tx", "none", "all"),
        effects={
            "tx": _looked(tx=True, others=False),
            "none": _looked(tx=False, others=False),
            "all": _looked(tx=True, others=True),
        },
        uncached=False,
    ),
    flags.WARMING.key: Walk(
        told=_same("off", "on"),
        effects={"off": _stays("warmed", while_grows="items")},
        uncached=False,
    ),
    flags.FETCH_MODE.key: Walk(
        told=_same("sequential", "parallel", "batch", "coalesced"),
        effects={
            "sequential": _ratio("calls", "requests", 1.0, 1.2),
            "parallel": _ratio("calls", "requests", 1.0, 1.2),
            "batch": _ratio("calls", "requests", 1.2, 4.0),
            "coalesced": _ratio("calls", "requests", 4.0, 1_000.0),
        },
    ),
    flags.KEEP_ALIVE.key: Walk(
        told=_same("off", "on"),
        effects={
            "off": _ratio("dialled", "requests", 0.8, 1.3),
            "on": _ratio("dialled", "requests", 0.0, 0.3),
        },
        mode="parallel",
    ),
    flags.POOL_SIZE.key: Walk(
        told=_same(*_POOLS), effects={name: _pools("max", int(name)) for name in _POOLS}
    ),
    flags.CONCURRENCY.key: Walk(
        told=_same("none", "fixed", "adaptive"),
        effects={name: _pools("limiter", name) for name in ("none", "fixed", "adaptive")},
    ),
    flags.RETRY.key: Walk(
        told=_same("none", "backoff", "budgeted"),
        effects={
            "none": _stays("retries", while_grows="requests"),
            "backoff": _grows("retries"),
            "budgeted": _grows("retries"),
        },
        fails=0.05,
    ),
    flags.SHARING.key: Walk(
        told=_same("off", "process", "fleet"),
        effects={
            "off": _stays("shared", while_grows="calls"),
            "process": _grows("shared"),
            "fleet": _grows("shared"),
        },
    ),
    flags.HEDGING.key: Walk(
        told=_same("off", "p95"),
        effects={"off": _stays("hedged", while_grows="requests"), "p95": _grows("hedged")},
        mode="parallel",
    ),
    flags.RATE_LIMIT.key: Walk(
        told=_same("process", "fleet"),
        effects={
            "process": lambda first, last: (
                last.rates <= first.rates and _grown(first, last, "calls") > 0
            ),
            "fleet": lambda first, last: last.rates > first.rates,
        },
    ),
    flags.BREAKER_USE.key: Walk(
        told=_same("off", "metrics_only", "on"),
        effects={
            "off": _breakers("disabled"),
            "metrics_only": _breakers("metrics_only"),
            "on": _breakers("closed"),
        },
    ),
    flags.BREAKER_WINDOW.key: Walk(told=_same("list", "count", "time"), effects={}),
    flags.REQUEST_LOG.key: Walk(
        told=_same("all", "sampled", "failures"),
        effects={
            "all": _lines(0.6, 1.5),
            "sampled": _lines(0.001, 0.3),
            "failures": _lines(0.0, 0.1),
        },
        mode="parallel",
    ),
    # What Postgres ends then is seen in tests/database.
    flags.STATEMENT_TIMEOUT.key: Walk(told=_same("7500", "30000"), effects={}, uncached=False),
    flags.MEMORY_GUARD.key: Walk(
        told=_same("off", "on"),
        effects={name: _guard(name) for name in ("off", "on")},
        uncached=False,
    ),
}
