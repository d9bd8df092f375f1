"""Traces of keys for hit rates, and the best that any cache could have made of them."""

import heapq
import random
from bisect import bisect
from collections.abc import Sequence
from itertools import accumulate

NEVER = 1 << 60


def zipf(keys: int, length: int, *, exponent: float = 1.0, seed: int = 20_260_101) -> list[bytes]:
    """Independent draws: key n comes in proportion to 1 / n^exponent."""
    chance = random.Random(seed)
    weights = list(accumulate(1 / n**exponent for n in range(1, keys + 1)))
    return [b"%032d" % bisect(weights, chance.random() * weights[-1]) for _ in range(length)]


def with_scans(trace: Sequence[bytes], *, every: int, length: int) -> list[bytes]:
    """The trace, broken into by keys that are asked for once and never again: somebody's run."""
    mixed: list[bytes] = []
    for scan, at in enumerate(range(0, len(trace), every)):
        mixed += trace[at : at + every]
        mixed += [b"scan%028d" % (scan * length + n) for n in range(length)]
    return mixed


def moving(keys: int, length: int, *, phases: int) -> list[bytes]:
    """Zipf whose favourites are others in each phase, as the newest blocks are each hour."""
    trace = zipf(keys, length)
    size = length // phases
    return [b"%d:%b" % (at // size, key) for at, key in enumerate(trace)]


def belady(trace: Sequence[bytes], entries: int) -> float:
    """Share of hits of a cache that knows the future: evicts what is wanted again last."""
    following = [NEVER] * len(trace)
    last: dict[bytes, int] = {}
    for at in range(len(trace) - 1, -1, -1):
        following[at] = last.get(trace[at], NEVER)
        last[trace[at]] = at
    wanted: dict[bytes, int] = {}
    furthest: list[tuple[int, bytes]] = []
    hits = 0
    for at, key in enumerate(trace):
        hits += key in wanted
        if key not in wanted and len(wanted) >= entries:
            while True:
                when, victim = heapq.heappop(furthest)
                if wanted.get(victim) == -when:
                    del wanted[victim]
                    break
        wanted[key] = following[at]
        heapq.heappush(furthest, (-following[at], key))
    return hits / len(trace)
