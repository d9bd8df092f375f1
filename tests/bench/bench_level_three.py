"""A run of transactions held against their blocks, through the fleet: level 3.

10 000 transactions of 300 blocks of the packaged chain; two workers, the demo node, Postgres and
this process share the machine's cores. Every round begins with nothing cached anywhere.
"""

import os
import random
import time

import django

from tests.bench.bench_fleet import servers
from tests.bench.lines import interleaved, show
from tests.fleet import Fleet, wait_until

BLOCKS, ITEMS = 300, 10_000
_SETTLE_S = 1.5


def subjects() -> list[str]:
    """As they stand in their blocks, each block's share of `ITEMS`."""
    from validation.devnode.chain import Chain

    chain = Chain.load()
    blocks: dict[bytes, list[str]] = {}
    for tx, line in chain.transaction_json.items():
        place = line.index(b'"blockHash":"') + 13
        blocks.setdefault(line[place : place + 66], []).append(tx)
    chosen = list(blocks.values())[:BLOCKS]
    left = sum(map(len, chosen)) - ITEMS
    while left > 0:  # the last of the longest go
        longest = max(chosen, key=len)
        longest.pop()
        left -= 1
    return [f"tx:{tx}" for block in chosen for tx in block]


def items_a_second(fleet: Fleet, texts: list[str], *, level: int) -> float:
    from validation import services
    from validation.subjects import parse_subject

    fleet.manage("cache", "purge", "all", "--reason", "a benchmark begins cold")
    time.sleep(_SETTLE_S)  # until every worker has heard of it
    run = services.start_run(map(parse_subject, texts), level=level, origin="cli").pk
    wait_until(lambda: fleet.finished(run), within_s=120, what="the run ends")
    [(seconds, valid)] = fleet.rows(
        "SELECT extract(epoch FROM r.finished_at - r.started_at)::float, "
        "(SELECT sum(valid)::int FROM validation_chunk WHERE run_id = r.id) "
        "FROM validation_run r WHERE id = %s",
        run,
    )
    if valid != len(texts):
        rows = fleet.rows(
            "SELECT verdict, reason, count(*) FROM validation_result WHERE run_id = %s "
            "GROUP BY 1, 2", run,
        )  # fmt: skip
        raise AssertionError(f"not all are valid: {rows}")
    return len(texts) / float(seconds)


def main() -> None:
    with servers() as cluster, Fleet(cluster=cluster) as fleet:
        os.environ.update(fleet.environment)
        django.setup()
        ordered = subjects()
        mixed = random.Random(7).sample(ordered, len(ordered))
        items_a_second(fleet, ordered, level=3)  # warms connections and the node's pages
        figures = interleaved(
            {
                "level 3, block by block": lambda: items_a_second(fleet, ordered, level=3),
                "in any order": lambda: items_a_second(fleet, mixed, level=3),
                "level 2": lambda: items_a_second(fleet, ordered, level=2),
                "level 1": lambda: items_a_second(fleet, ordered, level=1),
            },
            rounds=int(os.environ.get("ROUNDS", "3")),
        )
        what = f"{len(ordered):,} transactions of {BLOCKS} blocks through the fleet, cold"
        show(what, figures, unit="items/s", goal="1 500 at level 3")


if __name__ == "__main__":
    main()
