"""L1: a hit, a set that evicts, and how much each policy hits, beside what others do.

Keys and entries are made beforehand and used again, so that the cache alone is measured; in time
of the CPU, so that what else runs on this machine counts for little.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import cachebox
import cachetools
from django.conf import settings

from tests.bench.lines import interleaved, show
from tests.bench.traces import belady, moving, with_scans, zipf
from validation.cache.curve import MissRatioCurve
from validation.cache.l1 import L1, Entry, L1Config
from validation.cache.policies import POLICIES

type Measured = dict[str, Callable[[], float]]

ENTRIES = 10_000
HOT = 1_000
LOOPS = 10
ROUNDS = 15
KEYS = [b"%032d" % n for n in range(2 * ENTRIES)]
TRACE_KEYS = 100_000
TRACE_ENTRIES = TRACE_KEYS // 100


def entry() -> Entry:
    return Entry(value=(), size=1000, created=0.0, expires_at=float("inf"))


ENTRY_OF = {key: entry() for key in KEYS}
PAIRS = list(ENTRY_OF.items())


def gets(get: Callable[[bytes], object]) -> float:
    """ns a look-up, the loop's own included."""
    keys = KEYS[-HOT:]
    for key in keys:
        get(key)
    started = time.thread_time()
    for key in keys * LOOPS:
        get(key)
    return (time.thread_time() - started) / len(keys) / LOOPS * 1e9


def sets(put: Callable[[bytes, Entry], object]) -> float:
    """ns a set of which each evicts: there are twice as many keys as places."""
    started = time.thread_time()
    for key, value in PAIRS:
        put(key, value)
    return (time.thread_time() - started) / len(PAIRS) * 1e9


def filled(policy: str) -> L1:
    cache = L1(L1Config(policy=policy, max_entries=ENTRIES))
    for key, value in PAIRS:
        cache.put(key, value)
    return cache


def cost() -> None:
    default = L1Config().policy
    names = [default, *(name for name in POLICIES if name != default)]
    ours = {name: filled(name) for name in names}
    lru: cachebox.LRUCache[bytes, Entry] = cachebox.LRUCache(ENTRIES)
    ttl: cachebox.TTLCache[bytes, Entry] = cachebox.TTLCache(ENTRIES, 600)
    slow: cachetools.TTLCache[bytes, Entry] = cachetools.TTLCache(ENTRIES, 600)
    peers: dict[str, tuple[Callable[[bytes], object], Callable[[bytes, Entry], object]]] = {
        "cachebox LRU": (lru.get, lru.insert),
        "cachebox TTL": (ttl.get, ttl.insert),
        "cachetools TTL": (slow.get, slow.__setitem__),
    }
    local = locmem()
    plain = dict(PAIRS)
    for _, put in peers.values():
        for pair in PAIRS:
            put(*pair)
    measured: Measured = {}
    measured |= {f"L1 {name}": partial(gets, cache.get) for name, cache in ours.items()}
    measured |= {"dict": partial(gets, plain.get)}
    measured |= {name: partial(gets, get) for name, (get, _) in peers.items()}
    measured |= {"LocMem": partial(gets, local)}
    show("L1 hit with TTL", interleaved(measured, rounds=ROUNDS), unit="ns", goal="≤ 250")
    measured = {}
    measured |= {f"L1 {name}": partial(sets, cache.put) for name, cache in ours.items()}
    measured |= {"OrderedDict": ordered_sets}
    measured |= {name: partial(sets, put) for name, (_, put) in peers.items()}
    show("L1 set with eviction", interleaved(measured, rounds=ROUNDS), unit="ns", goal="≤ 500")


def ordered_sets() -> float:
    """The floor: an OrderedDict that evicts, called by nobody."""
    queue = OrderedDict(PAIRS[:ENTRIES])
    started = time.thread_time()
    for key, value in PAIRS:
        queue[key] = value
        if len(queue) > ENTRIES:
            queue.popitem(last=False)
    return (time.thread_time() - started) / len(PAIRS) * 1e9


def locmem() -> Callable[[bytes], object]:
    from django.core.cache.backends.locmem import LocMemCache

    if not settings.configured:
        settings.configure()
    cache = LocMemCache("bench", {"OPTIONS": {"MAX_ENTRIES": ENTRIES}})
    text = {key: key.decode() for key in KEYS}
    for key in KEYS[-HOT:]:
        cache.set(text[key], 1)
    return lambda key: cache.get(text[key])


def curve() -> None:
    full = MissRatioCurve()
    for key in zipf(TRACE_KEYS, 200_000):
        full.touch(key)
    unsampled = [key for key in KEYS if hash(key) >= full.rate * (1 << 64) - (1 << 63)][:HOT]

    def touches() -> float:
        touch = full.touch
        started = time.thread_time()
        for key in unsampled * LOOPS:
            touch(key)
        return (time.thread_time() - started) / len(unsampled) / LOOPS * 1e9

    figures = interleaved({"a key not sampled": touches}, rounds=ROUNDS)
    show("miss-ratio curve", figures, unit="ns", goal="≤ 80")


def hit_rate(policy: str, trace: Sequence[bytes], entries: int) -> float:
    cache = L1(L1Config(policy=policy, max_entries=entries), clock=lambda: 0.0)
    for key in trace:
        if cache.get(key) is None:
            cache.put(key, entry())
    return cache.counters.hits / len(trace)


def hit_rates(what: str, trace: Sequence[bytes], entries: int, goal: str) -> None:
    best = belady(trace, entries)
    found = {name: hit_rate(name, trace, entries) for name in POLICIES}
    lru = found["lru"]
    told = "; ".join(
        f"{name} {100 * rate:.1f} % ({rate / best:.3f} of Belady, {100 * (rate - lru):+.1f})"
        for name, rate in sorted(found.items(), key=lambda pair: -pair[1])
    )
    print(f"L1 hit rate, {what}: Belady {100 * best:.1f} %; {told}  [goal: {goal}]", flush=True)


def main() -> None:
    cost()
    curve()
    even = zipf(TRACE_KEYS, 1_000_000)
    hit_rates("Zipf 1.0, 1 % of the keys", even, TRACE_ENTRIES, "≥ 0.89 of Belady")
    scanned = with_scans(even, every=5 * TRACE_ENTRIES, length=5 * TRACE_ENTRIES // 2)
    hit_rates("the same with scans", scanned, TRACE_ENTRIES, "≥ +6 points over LRU")
    shifting = moving(TRACE_KEYS, 500_000, phases=25)
    hit_rates("Zipf whose favourites move", shifting, TRACE_ENTRIES, "none")
    steep = zipf(20_000, 400_000, exponent=0.8)
    hit_rates("Zipf 0.8, 10 % of the keys", steep, 2_000, "none")


if __name__ == "__main__":
    main()
