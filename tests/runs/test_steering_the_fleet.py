"""An operator's hand on a real fleet: every worker obeys, says so, and goes on by itself after."""

import http.client
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis

from console.embedded.cluster import Cluster
from tests.fleet import Fleet, kill_one_child, wait_until

WORKERS = 4


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    tmp_path.chmod(0o755)
    with Cluster.under(tmp_path) as cluster, Fleet(cluster=cluster, workers=WORKERS) as fleet:
        yield fleet


def address(fleet: Fleet) -> str:
    return urlsplit(fleet.environment["NODE_URLS"]).netloc


def node(fleet: Fleet, **settings: object) -> dict[str, Any]:
    """Sets the demo node's faults, where any are named; tells what it counted."""
    connection = http.client.HTTPConnection(address(fleet), timeout=5)
    try:
        if settings:
            connection.request("POST", "/_control", json.dumps(settings))
        else:
            connection.request("GET", "/_control")
        told: dict[str, Any] = json.loads(connection.getresponse().read())
    finally:
        connection.close()
    return told


def calls(fleet: Fleet) -> int:
    return int(node(fleet)["counters"]["calls"])


def force(fleet: Fleet, act: str, *options: str) -> str:
    reason = ("--reason", "a test of the fleet's obedience")
    told = [
        fleet.manage("breaker", f"node:{address(fleet)}:{kind}", act, *options, *reason)
        for kind in ("lookup", "block")
    ]
    return "\n".join(told)


def in_force(fleet: Fleet) -> list[str]:
    """The states of both breakers in every worker that reports one."""
    client = redis.Redis.from_url(fleet.cluster.cache.url)
    try:
        found = [json.loads(client.get(key) or b"{}") for key in client.keys("switchyard:worker:*")]
    finally:
        client.close()
    return [breaker["state"] for worker in found for breaker in worker.get("breakers", ())
            if breaker["name"].startswith("node:")]  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_breaker_forced_open_holds_in_every_worker_and_outlives_them(fleet: Fleet) -> None:
    warm = fleet.start_run(2_000, level=1)
    wait_until(lambda: fleet.finished(warm), within_s=60, what="a run of a healthy fleet")
    told = force(fleet, "open", "--for", "10m")
    assert told.count(f"{WORKERS} of {WORKERS}") == 2, told

    before = calls(fleet)
    held = fleet.start_run(400, kind="block", level=1)
    kill_one_child(fleet, 0)
    kill_one_child(fleet, 2)
    flushed = redis.Redis.from_url(fleet.cluster.cache.url)
    flushed.flushall()
    flushed.close()
    wait_until(
        lambda: (
            in_force(fleet).count("forced_open") >= 2 * WORKERS
            and set(in_force(fleet)) == {"forced_open"}
        ),
        within_s=60,
        what="the killed workers' heirs obey what Postgres knows",
    )
    assert calls(fleet) == before
    assert not fleet.finished(held)

    force(fleet, "auto")
    wait_until(lambda: fleet.finished(held), within_s=90, what="what waited is validated")
    assert calls(fleet) > before


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_forced_state_ends_by_itself_with_postgres_away(fleet: Fleet) -> None:
    wait_until(lambda: len(fleet.children()) == WORKERS, within_s=30, what="the workers")
    warm = fleet.start_run(2_000, level=1)
    wait_until(lambda: fleet.finished(warm), within_s=60, what="a run of a healthy fleet")
    force(fleet, "open", "--for", "15s")
    # They obey before they tell of it: that they do each second.
    wait_until(
        lambda: set(in_force(fleet)) == {"forced_open"}, within_s=10, what="each worker tells of it"
    )
    fleet.cluster.postgres.stop()
    wait_until(
        lambda: set(in_force(fleet)) == {"closed"}, within_s=40, what="the breakers close again"
    )
    fleet.cluster.postgres.start()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_node_that_fails_opens_breakers_and_burns_no_items(fleet: Fleet) -> None:
    warm = fleet.start_run(500, level=1)
    wait_until(lambda: fleet.finished(warm), within_s=60, what="a run of a healthy fleet")
    node(fleet, error_rate=0, timeout_rate=0, latency_ms=0)
    stopped = fleet.process("node")
    stopped.send_signal(signal.SIGSTOP)
    try:
        run = fleet.start_run(3_000, kind="address", level=1)
        wait_until(
            lambda: "open" in in_force(fleet),
            within_s=60,
            what="a breaker opens at the silent node",
        )
    finally:
        stopped.send_signal(signal.SIGCONT)
    wait_until(
        lambda: fleet.finished(run), within_s=120, what="the run ends after the node is back"
    )
    verdicts = dict(fleet.rows(
        "SELECT verdict, count(*) FROM validation_result WHERE run_id = %s GROUP BY 1", run
    ))  # fmt: skip
    # What was under way when it fell silent may be lost to its deadline, a chunk a worker at most.
    assert verdicts["valid"] >= 3_000 - WORKERS * 400
    wait_until(lambda: set(in_force(fleet)) == {"closed"}, within_s=30, what="the breakers close")
