"""Workloads on single parts of the engine: L1 in made-up time, and breakers."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from random import Random

import msgspec

from console.experiments.claims import Claim
from console.experiments.engines import decisions, variants_of
from console.experiments.schedule import Arm
from validation.cache import CacheConfig, L1Config, TieredCache
from validation.cache.entry import Entry
from validation.memory import MemoryGuard
from validation.resilience import Breaker, BreakerConfig, Breakers
from validation.rpc import RateBudgets
from validation.toggles import TOGGLES, Parts


class Trace(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`lookups` a block of `keys` by Zipf's `skew`, so many `a_second` of made-up time; each is
    good for `good_s`, and `warm` of them go before. `scan`: every hundred look-ups so many that
    are asked for once. `entries`: of L1, where no flag says so.
    """

    lookups: int = 20_000
    keys: int = 20_000
    skew: float = 1.0
    warm: int = 20_000
    scan: int = 0
    entries: int = 1_000
    a_second: float = 100.0
    good_s: float = 3_600.0


class Calls(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`calls` a block through one breaker, of which a `failing` share fails."""

    calls: int = 20_000
    failing: float = 0.02


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def _parts(cache: TieredCache, breakers: Breakers) -> Parts:
    guard = MemoryGuard(lambda: None, drop_half=lambda: None, drop_all=lambda: None)
    return Parts(cache=cache, breakers=breakers, budgets=RateBudgets(None), guard=guard, engines=())


def _steer(parts: Parts, claim: Claim, variant: str) -> None:
    for decision in decisions(variants_of(claim, variant)).of.values():
        TOGGLES[decision.key].apply(parts, decision.value)


@contextmanager
def l1(claim: Claim, seed: int) -> Iterator["OfL1"]:
    yield OfL1(claim, msgspec.convert(claim.workload, Trace), seed)


class OfL1:
    """A new L1 each block: nothing of one arm is left for the other."""

    def __init__(self, claim: Claim, trace: Trace, seed: int) -> None:
        self._claim, self._trace, self._seed = claim, trace, seed
        self._weights = list(accumulate(1 / n**trace.skew for n in range(1, trace.keys + 1)))
        self._names = [b"%032d" % n for n in range(trace.keys)]

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        return [self._one(pair, arm) for arm in arms]

    def _one(self, pair: int, arm: Arm) -> Mapping[str, float]:
        trace, clock = self._trace, _Clock()
        config = CacheConfig(l1=L1Config(max_entries=trace.entries))
        breakers = Breakers()
        cache = TieredCache(config, breaker=breakers.get("l2"), clock=clock)
        _steer(_parts(cache, breakers), self._claim, arm.variant)
        asked = self._keys(pair)
        self._look_up(cache, clock, asked[: trace.warm])
        before = cache.l1.counters
        began = time.process_time()
        self._look_up(cache, clock, asked[trace.warm :])
        cpu_s, after = time.process_time() - began, cache.l1.counters
        number = len(asked) - trace.warm
        breakers.destroy()
        return {
            "lookups": number,
            "hit_share": (after.hits - before.hits) / number,
            "cpu_us": cpu_s / number * 1e6,
            "evicted": after.evicted - before.evicted,
            "entries": len(cache.l1),
        }

    def _look_up(self, cache: TieredCache, clock: _Clock, keys: Sequence[bytes]) -> None:
        step, good_s, found = 1 / self._trace.a_second, self._trace.good_s, cache.l1
        for key in keys:
            clock.now += step
            found.tick()
            if found.get(key) is None:
                # As the cache keeps what a node said: no longer than L1 keeps anything.
                until = clock.now + min(good_s, cache.l1_ttl_s)
                found.put(key, Entry(value=key, size=600, created=clock.now, expires_at=until))

    def _keys(self, pair: int) -> list[bytes]:
        chance, trace = Random(f"{self._seed} {pair}"), self._trace  # noqa: S311 - a draw
        keys = chance.choices(self._names, cum_weights=self._weights, k=trace.warm + trace.lookups)
        if not trace.scan:
            return keys
        mixed: list[bytes] = []
        for start in range(0, len(keys), 100):
            mixed += keys[start : start + 100]
            mixed += [b"scan %d %d" % (start, n) for n in range(trace.scan)]
        return mixed


@contextmanager
def breakers(claim: Claim, seed: int) -> Iterator["OfBreakers"]:
    yield OfBreakers(claim, msgspec.convert(claim.workload, Calls), seed)


class _NoAnswer(Exception):
    """What a node that is down does."""


class OfBreakers:
    """One breaker a block, full before it is timed."""

    def __init__(self, claim: Claim, calls: Calls, seed: int) -> None:
        self._claim, self._calls, self._seed = claim, calls, seed

    def block(self, pair: int, arms: Sequence[Arm]) -> list[Mapping[str, float]]:
        return [self._one(pair, arm) for arm in arms]

    def _one(self, pair: int, arm: Arm) -> Mapping[str, float]:
        registry = Breakers({"": BreakerConfig()})
        _steer(_parts(_no_cache(), registry), self._claim, arm.variant)
        breaker, number = registry.get("node:experiment"), self._calls.calls
        chance = Random(f"{self._seed} {pair}")  # noqa: S311 - a draw, no secret
        fails = [chance.random() < self._calls.failing for _ in range(number)]
        _settle(breaker, fails)
        began = time.process_time()
        _settle(breaker, fails)
        cpu_s = time.process_time() - began
        registry.destroy()
        return {"calls": number, "cpu_us": cpu_s / number * 1e6}


def _settle(breaker: Breaker, fails: Sequence[bool]) -> None:
    for failed in fails:
        permit = breaker.admit()
        if failed:
            breaker.settle(permit, error=_NoAnswer(), duration_s=0.01)
        else:
            breaker.settle(permit, duration_s=0.01)


def _no_cache() -> TieredCache:
    return TieredCache(CacheConfig(), breaker=Breakers().get("l2"))
