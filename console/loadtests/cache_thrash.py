"""Ten times as many keys as L1 holds: it stays within its bounds, and keeps what is used."""

import math
from collections.abc import Callable

from console.loadtests.criteria import Criterion, Outcome, at_least, at_most
from validation.cache import L1, L1Config
from validation.cache.entry import Entry
from validation.cache.policies import POLICIES
from validation.footprint import resident_bytes

ENTRIES = 1_000
KEYS = 10 * ENTRIES
ROUNDS = 10
HOT = 100
# Between two uses of what is hot come so many keys that are used once.
_EVERY = 250
_VALUE = 1_024
_GROWTH_BYTES = 8 << 20
# A policy that resists scans takes a newcomer on trial: one in use may go once, and come again.
_MOSTLY = 0.95
_SOURCE = "000, load test 2"

type Read = Callable[[], int | None]


def run(read: Read = resident_bytes) -> Outcome:
    most = 0
    criteria: list[Criterion] = []
    for policy in sorted(POLICIES):
        l1 = L1(L1Config(policy=policy, max_entries=ENTRIES))
        most = max(most, _thrash(l1, first=0))
        before = read()
        for turn in range(1, ROUNDS):
            most = max(most, _thrash(l1, first=turn * KEYS))
        criteria.append(_growth(policy, before, read()))
    kept = _kept("lru")
    return Outcome(
        criteria=(
            at_most("entries at any time, over all policies", most, ENTRIES, source=_SOURCE),
            *criteria,
            at_least("LRU: share of the keys in use that stayed", kept, 1.0, source=_SOURCE),
            at_least("LRU: share of those unused for longest that went", _gone(), 1.0,
                     source=_SOURCE),
            at_least("the default policy: share of the keys in use that stayed",
                     _kept(L1Config().policy), _MOSTLY, source="ours"),
        ),
        figures={"keys a round": KEYS, "rounds": ROUNDS, "policies": ", ".join(sorted(POLICIES)),
                 "FIFO, which the sources use: share that stayed": _kept("fifo")},
    )  # fmt: skip


def _thrash(l1: L1, *, first: int) -> int:
    """The most entries that it held."""
    most = 0
    for number in range(first, first + KEYS):
        l1.put(b"test:%d" % number, _entry())
        most = max(most, len(l1))
    return most


def _kept(policy: str) -> float:
    """Of what is read again and again while ten times its room of other keys passes by."""
    l1 = L1(L1Config(policy=policy, max_entries=ENTRIES))
    hot = [b"hot:%d" % number for number in range(HOT)]
    for key in hot:
        l1.put(key, _entry())
    for number in range(KEYS):
        if number % _EVERY == 0:
            for key in hot:
                l1.get(key)
        l1.put(b"once:%d" % number, _entry())
    return sum(key in l1 for key in hot) / HOT


def _gone() -> float:
    """Of a full L1 whose second half was read, the first must make room."""
    l1 = L1(L1Config(policy="lru", max_entries=ENTRIES))
    keys = [b"key:%d" % number for number in range(ENTRIES)]
    for key in keys:
        l1.put(key, _entry())
    half = ENTRIES // 2
    for key in keys[half:]:
        l1.get(key)
    for number in range(half):
        l1.put(b"new:%d" % number, _entry())
    return sum(key not in l1 for key in keys[:half]) / half


def _growth(policy: str, before: int | None, after: int | None) -> Criterion:
    grown = None if before is None or after is None else max(0, after - before)
    return at_most(
        f"{policy}: memory grown over {ROUNDS - 1} more rounds",
        grown, _GROWTH_BYTES, unit="bytes", source=_SOURCE,
    )  # fmt: skip


def _entry() -> Entry:
    return Entry(value=bytes(_VALUE), size=_VALUE, created=0.0, expires_at=math.inf)
