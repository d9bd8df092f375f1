"""What each flag of the workers does that can be seen from outside, variant by variant.

Every variant has an effect that is counted while a fleet works, at the node, in Valkey or by each
worker, or a behaviour that one process shows (`tests.flags.behaviours`), or both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tests.flags.walking import Seen
from validation import flags

type Effect = Callable[[Seen, Seen], bool]
"""Whether it shows in what happened between two moments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """`told`: what a worker says is in force, by variant; `effects` where something is counted, of
    each worker by itself unless `counted_together`. `fails`: the share of calls that the node fails
    meanwhile.
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
    counted_together: bool = False
    """Where it is counted nobody tells one worker from another, or what one did all have."""


def _grown(first: Seen, last: Seen, *names: str) -> int:
    return sum(last.sums[name] - first.sums[name] for name in names)


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


def _at_rest(*names: str, **others: str) -> Walk:
    """A process by itself shows what it does; here, that each worker has it and loses nothing."""
    return Walk(told=_same(*names) | others, effects={}, uncached=False)


WALKS: Final[Mapping[str, Walk]] = {
    flags.L1_EVICTION.key: _at_rest("fifo", "lru", "sieve", "s3fifo", "tinylfu"),
    flags.L1_SIZE.key: _at_rest("1000", "5000", "10000", deployment="10000"),
    flags.L1_TTL.key: _at_rest("60", "300", deployment="300"),
    flags.L1_EXPIRY.key: _at_rest("sweep", "lazy"),
    flags.L1_SIZING.key: _at_rest("fixed", "adaptive"),
    flags.WARMING.key: _at_rest("off", "on"),
    flags.POOL_SIZE.key: _at_rest("512", "256", "50", "8"),
    flags.CONCURRENCY.key: _at_rest("none", "fixed", "adaptive"),
    flags.BREAKER_USE.key: _at_rest("off", "metrics_only", "on"),
    flags.BREAKER_WINDOW.key: _at_rest("list", "count", "time"),
    flags.STATEMENT_TIMEOUT.key: _at_rest("7500", "30000"),
    flags.MEMORY_GUARD.key: _at_rest("off", "on"),
    flags.CODEC.key: Walk(
        told=_same("base64", "none", "gzip", "brotli", "zstd-fast", "zstd"),
        effects={
            name: _only(name) for name in ("base64", "none", "gzip", "brotli", "zstd-fast", "zstd")
        },
        purged=True,
        uncached=False,
        counted_together=True,
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
        counted_together=True,
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
        counted_together=True,
    ),
    flags.REQUEST_LOG.key: Walk(
        told=_same("all", "sampled", "failures"),
        effects={
            "all": _lines(0.6, 1.5),
            "sampled": _lines(0.001, 0.3),
            "failures": _lines(0.0, 0.1),
        },
        mode="parallel",
        counted_together=True,
    ),
}
