"""What it costs to know the work of each variant: counting an item, and telling it each second."""

import os
from collections.abc import Callable
from itertools import repeat
from random import Random
from time import thread_time

import msgspec

from monitoring.arm_counts import ArmCounts
from monitoring.arm_work import Arms
from tests.bench.lines import interleaved, show

CHUNK, FLAGS = 100, 24
_TIMES = int(os.environ.get("CALLS", "200"))
_DECIDED = tuple((f"flag.number_{number}", "on") for number in range(FLAGS))


def _us(call: Callable[[], object], *, units: int = 1) -> float:
    """Of this thread's processor, the best of ten rounds: neighbours only make it slower."""
    found = []
    for _ in repeat(None, 10):
        began = thread_time()
        for _ in repeat(None, _TIMES):
            call()
        found.append(thread_time() - began)
    return 1e6 * min(found) / _TIMES / units


def main() -> None:
    draw = Random(7)
    took = [draw.lognormvariate(-5, 1) for _ in range(CHUNK)]
    counts = ArmCounts("worker", process="host:1")
    one_by_one = [(pair,) for pair in _DECIDED]

    def by_flag() -> None:
        for decided in one_by_one:
            counts.count(decided, took)

    per_item = {
        "a chunk at once": lambda: _us(lambda: counts.count(_DECIDED, took), units=CHUNK),
        f"each of {FLAGS} flags by itself": lambda: _us(by_flag, units=CHUNK),
    }
    show("counting an item", interleaved(per_item), unit="µs", goal="0.3 µs")
    body = msgspec.json.encode(counts.told())
    telling = {
        "reckon and encode": lambda: _us(lambda: msgspec.json.encode(counts.told())),
        "decode": lambda: _us(lambda: msgspec.json.decode(body, type=Arms)),
    }
    show(f"a word of {len(body):,} bytes", interleaved(telling), unit="µs", goal="1 ms a second")


if __name__ == "__main__":
    main()
