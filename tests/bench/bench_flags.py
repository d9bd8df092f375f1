"""How soon a change of a flag is in force in every worker, idle and at work, and without Valkey."""

import os
import statistics
import time
from itertools import cycle

import django

from tests.bench.bench_fleet import servers
from tests.bench.lines import show
from tests.fleet import Fleet, wait_until

CHANGES = int(os.environ.get("CHANGES", "60"))
KEY = "cache.codec"


def delays_ms(processes: int) -> list[float]:
    """From the commit to the last worker's word; the word itself and its reading included."""
    from console.access.audit import Actor
    from console.access.roles import Role
    from console.flags import acts
    from monitoring import snapshots

    actor = Actor(name="bench", role=Role.ADMIN, origin="cli")

    def in_force() -> list[str]:
        return [
            flag.in_force
            for worker in snapshots.workers() or ()
            if worker.state == "up"
            for flag in worker.flags
            if flag.key == KEY
        ]

    found = []
    for turn, variant in zip(range(CHANGES), cycle(("gzip", "zstd")), strict=False):
        why = f"measured, turn {turn:03}"
        acts.set_stage(actor, KEY, stage=100, target=variant, unrehearsed=True, reason=why)
        began = time.perf_counter()
        while in_force() != [variant] * processes:
            if time.perf_counter() - began > 10:
                raise AssertionError(f"not in force within 10 s: {in_force()}")
            time.sleep(0.002)
        found.append(1000 * (time.perf_counter() - began))
        time.sleep(0.15)
    return found


def told(what: str, found: list[float], goal: str) -> None:
    ordered = sorted(found)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    figures = {"p99": p99, "median": statistics.median(found), "worst": ordered[-1]}
    show(what, figures, unit="ms", goal=goal)


def main() -> None:
    processes = int(os.environ.get("WORKERS", "2"))
    with servers() as cluster, Fleet(cluster=cluster, workers=processes) as fleet:
        os.environ.update(fleet.environment)
        django.setup()
        first = fleet.start_run(100)
        wait_until(lambda: fleet.finished(first), within_s=60, what="the fleet works")
        told(f"a change, {processes} idle workers", delays_ms(processes), "100 ms")
        run = fleet.start_run(int(os.environ.get("ITEMS", "100000")), level=1)
        told(f"a change, {processes} busy workers", delays_ms(processes), "100 ms")
        print(f"finished meanwhile: {fleet.done(run):,} items")


if __name__ == "__main__":
    main()
