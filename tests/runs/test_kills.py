"""The promise that everything else stands on: no item lost, none counted twice."""

import time

import pytest
import redis

from console.embedded.cluster import Cluster
from tests.fleet import Fleet, kill_one_child, wait_until


def assert_each_item_has_exactly_one_result(fleet: Fleet, run: int, total: int) -> None:
    [(items, results, ordinals)] = fleet.rows(
        """
        SELECT (SELECT count(*) FROM validation_item WHERE run_id = %s),
               (SELECT count(*) FROM validation_result WHERE run_id = %s),
               (SELECT count(*) FROM validation_item i JOIN validation_result r
                USING (run_id, ordinal) WHERE run_id = %s AND i.subject = r.subject)
        """,
        run, run, run,
    )  # fmt: skip
    assert (items, results, ordinals) == (total, total, total)
    [counted] = fleet.rows(
        """
        SELECT sum(valid + invalid + not_found + unverifiable + error)::int, sum(size)::int
        FROM validation_chunk WHERE run_id = %s AND state = 'done'
        """,
        run,
    )
    assert counted == (total, total)
    verdicts = dict(
        fleet.rows(
            "SELECT verdict, count(*) FROM validation_result WHERE run_id = %s GROUP BY 1", run
        )
    )
    chunks = fleet.rows(
        "SELECT sum(valid)::int, sum(error)::int FROM validation_chunk WHERE run_id = %s", run
    )
    assert chunks == [(verdicts.get("valid", 0), verdicts.get("error", 0))]


def wipe(cluster: Cluster) -> None:
    for server in (cluster.cache, cluster.broker):
        client = redis.Redis.from_url(server.url)
        client.flushall()
        client.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_a_wipe_and_a_database_crash_lose_nothing(durable_cluster: Cluster) -> None:
    total = 20_000
    # 40 ms a round trip: slow enough that every second of it is worth killing.
    with Fleet(cluster=durable_cluster, node_options=("--latency-ms", "40")) as fleet:
        run = fleet.start_run(total)
        wiped = crashed = False
        kills = 0
        deadline = time.monotonic() + 200
        next_kill = time.monotonic() + 1
        while not fleet.finished(run):
            assert time.monotonic() < deadline, f"{fleet.done(run)} of {total} done in time"
            done = fleet.done(run)
            if time.monotonic() >= next_kill:
                kill_one_child(fleet, kills)
                kills += 1
                next_kill += 1
            if done > total // 3 and not wiped:
                wipe(durable_cluster)
                wiped = True
            if done > total // 2 and not crashed:
                durable_cluster.postgres.kill9()
                durable_cluster.postgres.start()
                crashed = True
        assert wiped
        assert crashed
        assert kills >= 3
        assert_each_item_has_exactly_one_result(fleet, run, total)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_worker_that_stops_in_good_order_gives_its_chunk_back(durable_cluster: Cluster) -> None:
    total = 4_000
    with Fleet(cluster=durable_cluster, node_options=("--latency-ms", "60")) as fleet:
        run = fleet.start_run(total)
        for _ in range(3):
            before = fleet.done(run)
            wait_until(lambda seen=before: fleet.done(run) > seen, within_s=20, what="progress")  # type: ignore[misc]
            fleet.stop_worker()
            fleet.start_worker()
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run ends")
        assert_each_item_has_exactly_one_result(fleet, run, total)
        assert fleet.rows("SELECT count(*) FROM validation_chunk WHERE state = 'split'") == [(0,)]


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_without_broker_and_cache_the_fleet_still_works(durable_cluster: Cluster) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        durable_cluster.broker.stop()
        durable_cluster.cache.stop()
        run = fleet.start_run(2_000)
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run ends without a broker")
        assert_each_item_has_exactly_one_result(fleet, run, 2_000)
