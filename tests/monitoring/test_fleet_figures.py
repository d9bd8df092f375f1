"""Real processes that are recycled, killed and robbed of their cache server, counted exactly."""

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest
import redis
from prometheus_client.metrics_core import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from console.embedded.cluster import Cluster
from tests.fleet import Fleet, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

_ACCEPT = "application/openmetrics-text; version=1.0.0"


@dataclass
class Stack:
    """A fleet, and who reads its figures."""

    fleet: Fleet
    port: int

    def value(self, name: str, **labels: str) -> float:
        """The sum of what a scraper reads under `name`."""
        asked = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/metrics", headers={"Accept": _ACCEPT}
        )
        with urllib.request.urlopen(asked, timeout=10) as answer:
            text = answer.read().decode()
        parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
        return sum(
            sample.value
            for family in parse(text)
            for sample in family.samples
            if sample.name == f"switchyard_{name}" and labels.items() <= sample.labels.items()
        )

    def validated(self) -> float:
        return self.value("validations_total")

    def node_calls(self) -> int:
        url = self.fleet.environment["NODE_URLS"] + "_control"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(json.load(answer)["counters"]["calls"])

    def run(self, count: int) -> None:
        run = self.fleet.start_run(count)
        wait_until(lambda: self.fleet.finished(run), within_s=60, what="the run ends")

    def processes(self) -> set[str]:
        rows = self.fleet.rows("SELECT id FROM monitoring_incarnation WHERE kind = 'worker'")
        return {str(row[0]) for row in rows}


@pytest.fixture
def worker_options() -> tuple[str, ...]:
    return ()


@pytest.fixture
def stack(durable_cluster: Cluster, worker_options: tuple[str, ...]) -> Iterator[Stack]:
    fleet = Fleet(
        cluster=durable_cluster,
        worker_options=worker_options,
        environment={"METRICS_NETWORKS": "127.0.0.1"},
    )
    with fleet:
        yield Stack(fleet, fleet.start_web())


@pytest.mark.parametrize("worker_options", [("--max-tasks-per-child", "2")])
def test_ten_thousand_over_recycled_children_read_ten_thousand(stack: Stack) -> None:
    for _ in range(5):
        stack.run(2_000)
    wait_until(lambda: stack.validated() >= 10_000, within_s=10, what="the last second is told")
    wait_until(lambda: len(stack.processes()) > 4, within_s=30, what="children were recycled")
    assert stack.validated() == 10_000
    assert stack.value("validation_duration_seconds_count") == 10_000
    assert stack.value("queue_wait_seconds_count") > 0
    told: list[tuple[float, int, float]] = []

    def agree() -> bool:
        """All were answered; one that was not, on a machine that stalls, may have come there."""
        name = "rpc_requests_total"
        told.append((stack.value(name, outcome="ok"), stack.node_calls(), stack.value(name)))
        answered, came, asked = told[-1]
        return answered <= came <= asked

    with suppress(AssertionError):
        wait_until(agree, within_s=10, what="as many calls as the node has counted")
    answered, came, asked = told[-1]
    assert answered <= came <= asked
    assert answered > 0.99 * asked
    assert stack.value("processes", process="beat") == 1
    assert stack.value("incarnations_lost") == 0
    stack.fleet.stop_worker()
    assert stack.validated() == 10_000
    assert stack.value("incarnations_lost") == 0


def test_a_kill_costs_its_last_second_at_most_and_is_told(stack: Stack) -> None:
    stack.run(2_000)
    wait_until(lambda: stack.validated() == 2_000, within_s=10, what="all of it is told")
    children = stack.fleet.children()
    for child in children:
        os.kill(child.pid, signal.SIGKILL)
    # Nothing had been counted since their last word: nothing is missing.
    assert stack.validated() == 2_000
    wait_until(
        lambda: stack.value("incarnations_lost", process="worker") == len(children),
        within_s=90, what="their silence is told",
    )  # fmt: skip
    assert stack.validated() == 2_000


def test_a_wiped_cache_server_loses_no_counter_that_postgres_knows(stack: Stack) -> None:
    stack.run(2_000)
    wait_until(lambda: stack.validated() == 2_000, within_s=10, what="all of it is told")
    stack.fleet.stop_worker(signal.SIGTERM)
    client = redis.Redis.from_url(stack.fleet.cluster.cache.url)
    client.flushall()
    client.close()
    assert stack.validated() == 2_000
    port = stack.fleet.start_web()  # one who has seen nothing of it
    another = Stack(stack.fleet, port)
    assert another.validated() == 2_000
