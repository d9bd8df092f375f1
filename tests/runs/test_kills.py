"""The promise that everything else stands on: no item lost, none counted twice."""

import time
from dataclasses import dataclass

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


@dataclass(kw_only=True)
class Torture:
    """Faults spread evenly over a run, and a worker child killed every so often."""

    fleet: Fleet
    total: int
    wipes: int
    crashes: int
    kill_every_s: float
    max_kills: int
    kills: int = 0

    def run(self, *, within_s: float) -> None:
        run = self.fleet.start_run(self.total, level=1)  # what is checked of an item is no matter
        wipes, crashes = self._moments(self.wipes), self._moments(self.crashes)
        started = time.monotonic()
        while not self.fleet.finished(run):
            elapsed = time.monotonic() - started
            done = self.fleet.done(run)
            assert elapsed < within_s, f"{done} of {self.total} done in {within_s:.0f} s"
            if elapsed > (self.kills + 1) * self.kill_every_s and self.kills < self.max_kills:
                kill_one_child(self.fleet, self.kills)
                self.kills += 1
            if wipes and done > wipes[0]:
                wipes.pop(0)
                wipe(self.fleet.cluster)
            if crashes and done > crashes[0]:
                crashes.pop(0)
                self.fleet.cluster.postgres.kill9()
                self.fleet.cluster.postgres.start()
        assert not wipes
        assert not crashes
        assert_each_item_has_exactly_one_result(self.fleet, run, self.total)

    def _moments(self, count: int) -> list[int]:
        """How many items are done when each of `count` faults comes."""
        return [self.total * (n + 1) // (count + 2) for n in range(count)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_a_wipe_and_a_database_crash_lose_nothing(durable_cluster: Cluster) -> None:
    # 40 ms a round trip: slow enough that every second of it is worth killing.
    with Fleet(cluster=durable_cluster, node_options=("--latency-ms", "40")) as fleet:
        torture = Torture(
            fleet=fleet, total=8_000, wipes=1, crashes=1, kill_every_s=1, max_kills=20
        )
        torture.run(within_s=200)
        assert torture.kills >= 3


@pytest.mark.soak
@pytest.mark.timeout(3_000)
def test_a_million_items_through_twenty_kills_five_wipes_and_two_crashes(
    durable_cluster: Cluster,
) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        torture = Torture(
            fleet=fleet, total=1_000_000, wipes=5, crashes=2, kill_every_s=8, max_kills=20
        )
        torture.run(within_s=2_400)
        assert torture.kills == 20


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_a_worker_that_stops_in_good_order_gives_its_chunk_back(durable_cluster: Cluster) -> None:
    total = 20_000
    with Fleet(cluster=durable_cluster, node_options=("--latency-ms", "60")) as fleet:
        run = fleet.start_run(total, level=1)
        for stops in (1, 2, 3):
            before = fleet.done(run)
            wait_until(lambda seen=before: fleet.done(run) > seen, within_s=20, what="progress")  # type: ignore[misc]
            assert not fleet.finished(run), f"too short a run: it ended before stop {stops}"
            fleet.stop_worker()
            fleet.start_worker()
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run ends")
        assert_each_item_has_exactly_one_result(fleet, run, total)
        assert fleet.rows("SELECT count(*) FROM validation_chunk WHERE state = 'split'") == [(0,)]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_without_broker_and_cache_the_fleet_still_works(durable_cluster: Cluster) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        durable_cluster.broker.stop()
        durable_cluster.cache.stop()
        run = fleet.start_run(2_000)
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run ends without a broker")
        assert_each_item_has_exactly_one_result(fleet, run, 2_000)
