"""A run through the fleet: two worker processes, durable Postgres, Valkey, and the demo node.

The node, Postgres, the workers and this process share the machine's cores.
"""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import django
import redis
from celery import Celery

from console.embedded.cluster import Cluster
from tests.bench.lines import interleaved, show
from tests.fleet import Fleet, wait_until

ITEMS = 20_000
MESSAGES = 3_000


def items_a_second(fleet: Fleet, *, level: int, kind: str = "tx") -> float:
    run = fleet.start_run(ITEMS, kind=kind, level=level)
    wait_until(lambda: fleet.finished(run), within_s=120, what="the run ends")
    [(seconds,)] = fleet.rows(
        "SELECT extract(epoch FROM finished_at - started_at)::float FROM validation_run "
        "WHERE id = %s",
        run,
    )
    return ITEMS / float(seconds)


def celery_alone(fleet: Fleet) -> float:
    """Messages a second that the same workers take while each does nothing: one task an item."""
    url = fleet.cluster.environment["CELERY_BROKER_URL"]
    app = Celery()
    app.conf.broker_write_url = url  # `broker_url` would lose against the environment's
    app.conf.task_default_queue = "switchyard"
    for _ in range(MESSAGES):
        app.send_task("celery.accumulate", ignore_result=True)
    broker = redis.Redis.from_url(fleet.cluster.broker.url)
    waiting = int(broker.llen("switchyard"))
    started = time.perf_counter()
    wait_until(lambda: not broker.llen("switchyard"), within_s=120, what="the queue is empty")
    broker.close()
    return waiting / (time.perf_counter() - started)


def first_result_ms(fleet: Fleet) -> float:
    """From the click to the end of a run of one item, the fleet otherwise idle."""
    from validation import services
    from validation.subjects import parse_subject

    run = services.start_run([parse_subject("block:100")], level=2, origin="cli").pk
    wait_until(lambda: fleet.finished(run), within_s=20, what="the run ends")
    [(ms,)] = fleet.rows(
        "SELECT 1000 * extract(epoch FROM finished_at - created_at)::float FROM validation_run "
        "WHERE id = %s",
        run,
    )
    return float(ms)


@contextlib.contextmanager
def servers() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="switchyard-bench-"))
    folder.chmod(0o755)
    try:
        with Cluster.under(folder) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    with servers() as cluster, Fleet(cluster=cluster) as fleet:
        items_a_second(fleet, level=1)  # warms caches, connections and the node's pages
        figures = interleaved(
            {
                "level 1": lambda: items_a_second(fleet, level=1),
                "one Celery task an item, empty": lambda: celery_alone(fleet),
                "level 2": lambda: items_a_second(fleet, level=2),
            },
            rounds=int(os.environ.get("ROUNDS", "5")),
        )
        goal = "5 000 at level 1, 3 000 at level 2"
        show("a run through the fleet", figures, unit="items/s", goal=goal)
        addresses = interleaved(
            {"level 1": lambda: items_a_second(fleet, level=1, kind="address")}, rounds=3
        )
        show("addresses through the fleet", addresses, unit="items/s", goal="5 000")
    with servers() as cluster, Fleet(cluster=cluster, node_options=("--latency-ms", "5")) as fleet:
        os.environ.update(fleet.environment)
        django.setup()
        first_result_ms(fleet)
        first = interleaved({"one item": lambda: first_result_ms(fleet)})
        show("first result, node 5 ms away", first, unit="ms", goal="50")


if __name__ == "__main__":
    main()
