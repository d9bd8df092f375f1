"""The cache against models that know only what callers may rely on: purges on two tiers of two
processes, and time on one.
"""

import asyncio
import time
import uuid

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from console.embedded.cluster import Cluster
from tests.cache.tiers import LONG, Tiers, decode, past_purges, until
from validation.cache import CacheConfig, L1Config, Lifetime, Made, TieredCache, Want
from validation.cache.bounds import SIZINGS
from validation.cache.codec import CODECS
from validation.cache.expiry import EXPIRIES
from validation.cache.policies import POLICIES
from validation.cache.sharing import SHARINGS
from validation.resilience import Breaker

_KEYS = 6
KEYS = st.sampled_from(range(_KEYS))
WHO = st.sampled_from((0, 1))
EXCHANGES = st.sampled_from(
    [
        *(("policy", name) for name in POLICIES),
        *(("codec", name) for name in CODECS),
        *(("sharing", name) for name in SHARINGS),
        *(("expiry", name) for name in EXPIRIES),
        *(("sizing", name) for name in SIZINGS),
        *(("threshold", size) for size in (0, 512, 5120)),
        *(("max_entries", count) for count in (0, 1, 3)),
        *(("ttl", seconds) for seconds in (0, 60)),
    ]
)


class TwoProcesses(RuleBasedStateMachine):
    """The model: when each version of each key was asked for, and, for each process, since when
    what it gives out must have been asked for.
    """

    url = ""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.tiers = Tiers(self.url, f"switchyard:cache:{uuid.uuid4().hex[:16]}:")
        # Tags are this example's own: the server, and its table, are everybody's.
        self.tag = uuid.uuid4().hex
        self.caches: list[TieredCache] = []
        self.version = dict.fromkeys(range(_KEYS), 0)
        self.asked_at: dict[tuple[int, int], float] = {}
        self.not_before = {(who, key): 0.0 for who in (0, 1) for key in range(_KEYS)}
        self.missed: dict[int, dict[int, float]] = {0: {}, 1: {}}

    @initialize()
    def start(self) -> None:
        async def make() -> list[TieredCache]:
            l1 = L1Config(max_entries=4)  # small: what leaves L1 comes back from L2
            return [await self.tiers.make(l1=l1) for _ in range(2)]

        self.caches = self.runner.run(make())

    def key(self, key: int) -> bytes:
        return self.tiers.key(f"{key}")

    async def make(self, key: int) -> Made:
        self.version[key] += 1
        version = self.version[key]
        self.asked_at[key, version] = time.monotonic()
        tags = (f"{self.tag}-{'odd' if key % 2 else 'even'}", f"{self.tag}-{key}")
        life = Lifetime(LONG.stale_s, LONG.expires_s, tags, negative=key == _KEYS - 1)
        return Made(version, (b"%d" % version,), "n", life)

    def check(self, who: int, key: int, version: int) -> None:
        assert version <= self.version[key]
        assert self.asked_at[key, version] >= self.not_before[who, key], "purged, and given out"

    def purged(self, keys: list[int], by: int) -> None:
        now = time.monotonic()
        for key in keys:
            self.not_before[by, key] = now
            self.missed[1 - by][key] = now

    async def asked(self, who: int, key: int, *, fresh: bool = False) -> int:
        hit = await self.caches[who].get_or_set(
            self.key(key), "tx", lambda: self.make(key), decode, fresh=fresh
        )
        version: int = hit.values
        return version

    @rule(who=WHO, key=KEYS)
    def get(self, who: int, key: int) -> None:
        self.check(who, key, self.runner.run(self.asked(who, key)))

    @rule(who=WHO, keys=st.lists(KEYS, max_size=_KEYS))
    def get_many(self, who: int, keys: list[int]) -> None:
        before = dict(self.version)
        wants = [Want(self.key(key), "tx", decode) for key in keys]
        hits = self.runner.run(self.caches[who].get_many(wants))
        assert before == self.version
        for key, hit in zip(keys, hits, strict=True):
            if hit is not None:
                self.check(who, key, hit.values)

    @rule(who=WHO, key=KEYS)
    def what_was_kept_is_known_to_both(self, who: int, key: int) -> None:
        self.look()

        async def keep_and_ask() -> tuple[int, int, int]:
            await past_purges(*self.caches)
            kept = await self.asked(who, key, fresh=True)
            await self.caches[who].tick()
            return kept, await self.asked(who, key), await self.asked(1 - who, key)

        kept, mine, others = self.runner.run(keep_and_ask())
        assert kept == mine == self.version[key]
        self.check(1 - who, key, others)

    @rule(who=WHO, key=KEYS)
    def purge_one(self, who: int, key: int) -> None:
        self.caches[who].purge(f"{self.tag}-{key}")
        self.purged([key], who)

    @rule(who=WHO, odd=st.sampled_from((0, 1)))
    def purge_half(self, who: int, odd: int) -> None:
        self.caches[who].purge(f"{self.tag}-{'odd' if odd else 'even'}")
        self.purged([key for key in range(_KEYS) if key % 2 == odd], who)

    @rule(who=WHO, key=KEYS)
    def drop(self, who: int, key: int) -> None:
        self.caches[who].drop(self.key(key))

    @rule(who=WHO, exchange=EXCHANGES)
    def exchange(self, who: int, exchange: tuple[str, str | int]) -> None:
        what, variant = exchange
        getattr(self.caches[who].variants, f"set_{what}")(variant)

    @rule(who=WHO)
    def cut(self, who: int) -> None:
        wire = self.caches[who].wire
        if wire is not None:
            wire.close("cut")

    @rule()
    def look(self) -> None:
        """Both look at the table, twice: the first has told what the second then reads."""

        async def tick() -> None:
            for cache in (*self.caches, *self.caches):
                await cache.tick()

        self.runner.run(tick())
        for who, missed in self.missed.items():
            for key, at in missed.items():
                self.not_before[who, key] = max(self.not_before[who, key], at)
            missed.clear()

    @precondition(lambda self: bool(self.caches))
    @invariant()
    def l1_is_within_its_bounds(self) -> None:
        assert all(len(cache.l1) <= 4 for cache in self.caches)

    def teardown(self) -> None:
        self.runner.run(self.tiers.aclose())
        self.runner.close()


class OneProcessInTime(RuleBasedStateMachine):
    """Without Valkey, by a clock that stands still between rules: what is asked exactly when."""

    STALE_S, EXPIRES_S = 100.0, 250.0

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = 1000.0
        self.cache = TieredCache(
            CacheConfig(eager=1.0, l1_ttl_s=1e9), breaker=Breaker("l2"), clock=lambda: self.now
        )
        self.asked: dict[int, float] = {}
        self.version = dict.fromkeys(range(_KEYS), 0)

    async def make(self, key: int) -> Made:
        self.version[key] += 1
        life = Lifetime(self.STALE_S, self.EXPIRES_S, (f"{key}",))
        return Made(self.version[key], (b"1",), "n", life)

    async def ask(self, key: int) -> tuple[int, str, float]:
        hit = await self.cache.get_or_set(b"%d" % key, "tx", lambda: self.make(key), decode)
        await until(lambda: not len(self.cache._renewals), what="it is renewed")
        return hit.values, hit.source, hit.age_s

    @rule(key=KEYS)
    def get(self, key: int) -> None:
        before, asked_at = self.version[key], self.asked.get(key)
        version, source, age_s = self.runner.run(self.ask(key))
        age = None if asked_at is None else self.now - asked_at
        if age is None or age >= self.EXPIRES_S:
            assert (version, source, age_s) == (before + 1, "node", 0.0)
            self.asked[key] = self.now
        else:
            assert (version, source, age_s) == (before, "l1", age)
            is_renewed = age >= self.STALE_S
            assert self.version[key] == before + is_renewed
            if is_renewed:
                self.asked[key] = self.now

    @rule(seconds=st.sampled_from((1.0, 40.0, 99.0, 100.0, 149.0, 250.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(key=KEYS)
    def purge(self, key: int) -> None:
        self.cache.purge(f"{key}")
        self.asked.pop(key, None)
        # What is made within the same moment counts as made before. A quarter adds up exactly.
        self.now += 0.25

    def teardown(self) -> None:
        self.runner.run(self.cache.aclose())
        self.runner.close()


def check(machine: type[RuleBasedStateMachine], *, examples: int) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_nothing_purged_is_given_out_by_either_process(services: Cluster) -> None:
    TwoProcesses.url = services.cache.url
    check(TwoProcesses, examples=40)


def test_what_is_asked_and_when_follows_from_the_times_alone() -> None:
    check(OneProcessInTime, examples=100)
