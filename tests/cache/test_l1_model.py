"""L1 under any sequence of operations, beside a dict that forgets nothing but what it was told."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tests.cache.entries import Clock, entry, key
from validation.cache.l1 import L1, OVERHEAD, Expiry, L1Config
from validation.cache.policies import POLICIES

POLICY = st.sampled_from(sorted(POLICIES))
KEY = st.integers(0, 30).map(key)
EXPIRY = st.sampled_from(["lazy", "sweep"])
TAGS = st.sets(st.sampled_from("abcd"), max_size=2).map(tuple)


class L1Machine(RuleBasedStateMachine):
    """`told` holds the newest entry of each key that was put and not taken back."""

    @initialize(policy=POLICY, entries=st.integers(1, 12), expiry=EXPIRY)
    def start(self, policy: str, entries: int, expiry: Expiry) -> None:
        self.clock = Clock()
        self.max_bytes = 12 * (500 + OVERHEAD)
        self.cache = L1(
            L1Config(
                policy=policy,
                max_entries=entries,
                max_bytes=self.max_bytes,
                expiry=expiry,
                sweep_s=5,
            ),
            clock=self.clock,
        )
        self.told: dict[bytes, tuple[int, float, tuple[str, ...]]] = {}
        self.serial = 0

    @rule(name=KEY, size=st.integers(0, 1_000), life=st.integers(0, 20), tags=TAGS)
    def put(self, name: bytes, size: int, life: int, tags: tuple[str, ...]) -> None:
        self.serial += 1
        expires_at = self.clock.now + life
        self.cache.put(name, entry(self.serial, size=size, expires_at=expires_at, tags=tags))
        if (size + OVERHEAD) * 8 > self.max_bytes:
            self.told.pop(name, None)
            assert name not in self.cache
            return
        self.told[name] = (self.serial, expires_at, tags)
        assert (name in self.cache) == (life > 0), "what was just put is there"

    @rule(name=KEY)
    def get(self, name: bytes) -> None:
        found = self.cache.get(name)
        if found is not None:
            value, expires_at, _ = self.told[name]
            assert found.value == value
            assert expires_at > self.clock.now

    @rule(name=KEY)
    def drop(self, name: bytes) -> None:
        self.cache.drop(name)
        self.told.pop(name, None)
        assert self.cache.get(name) is None

    @rule(tag=st.sampled_from("abcd"))
    def drop_tag(self, tag: str) -> None:
        before = set(self.cache)
        carrying = {name for name, (_, _, tags) in self.told.items() if tag in tags}
        assert self.cache.drop_tag(tag) == len(before & carrying)
        assert set(self.cache) == before - carrying
        for name in carrying:
            del self.told[name]

    @rule(policy=POLICY)
    def switch(self, policy: str) -> None:
        before = set(self.cache)
        self.cache.switch(policy)
        assert set(self.cache) == before
        assert self.cache.policy == policy

    @rule(entries=st.integers(1, 12))
    def resize(self, entries: int) -> None:
        self.cache.resize(max_entries=entries)

    @rule(entries=st.integers(1, 12))
    def resize_bytes(self, entries: int) -> None:
        self.max_bytes = entries * (500 + OVERHEAD)
        self.cache.resize(max_bytes=self.max_bytes)

    @rule(name=EXPIRY)
    def expire_by(self, name: Expiry) -> None:
        before = set(self.cache)
        self.cache.expire_by(name)
        assert set(self.cache) == before
        assert self.cache.expiry == name

    @rule()
    def tick(self) -> None:
        living = {name for name in self.cache if self.told[name][1] > self.clock.now}
        self.cache.tick()
        assert living <= set(self.cache), "only what has expired goes"

    @rule(seconds=st.integers(0, 10))
    def keep_for(self, seconds: int) -> None:
        before = set(self.cache)
        self.cache.keep_for(seconds)
        assert set(self.cache) == before
        at = self.clock.now + seconds
        for name in before:
            serial, expires_at, tags = self.told[name]
            self.told[name] = (serial, min(expires_at, at), tags)

    @rule(share=st.sampled_from((0.0, 0.5, 1.0)))
    def shrink(self, share: float) -> None:
        before, size, bounds = len(self.cache), self.cache.bytes, self.bounds()
        gone = self.cache.shrink(share)
        assert before - gone == len(self.cache) <= before * share
        assert self.cache.bytes <= size * share
        assert self.bounds() == bounds

    def bounds(self) -> tuple[int, int]:
        return self.cache.max_entries, self.cache.max_bytes

    @rule(seconds=st.integers(1, 10))
    def wait(self, seconds: int) -> None:
        self.clock.now += seconds

    @rule()
    def sweep(self) -> None:
        self.cache.sweep()
        assert all(self.told[name][1] > self.clock.now for name in self.cache)

    @rule()
    def clear(self) -> None:
        self.cache.clear()
        self.told.clear()
        assert not len(self.cache)

    @invariant()
    def bounds_hold(self) -> None:
        assert len(self.cache) <= self.cache.max_entries
        assert self.cache.bytes <= self.cache.max_bytes

    @invariant()
    def books_agree(self) -> None:
        """What the order, the entries, the tags and the bytes say is the same."""
        names = list(self.cache)
        assert len(names) == len(set(names)) == len(self.cache)
        held = [self.cache._entries[name] for name in names]
        assert self.cache.bytes == sum(each.size + OVERHEAD for each in held)
        indexed = {(tag, name) for tag, of in self.cache._tags.items() for name in of}
        tags = zip(names, held, strict=True)
        assert indexed == {(tag, name) for name, each in tags for tag in each.tags}


TestL1Machine = L1Machine.TestCase
TestL1Machine.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
