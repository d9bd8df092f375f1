"""A real fleet: force a breaker open, see every worker obey, and let it end."""

import json
from typing import Any
from urllib.request import urlopen

import pytest

from console.embedded.cluster import Cluster
from tests.controls.conftest import WHY
from tests.fleet import Fleet, wait_until


def asked(fleet: Fleet) -> int:
    """How many requests the node has had."""
    url = fleet.environment["NODE_URLS"].rstrip("/")
    with urlopen(f"{url}/_control", timeout=5) as answer:
        found: dict[str, Any] = json.load(answer)
    return int(found["counters"]["requests"])


def breakers(fleet: Fleet) -> list[str]:
    """Of the node: one a class of calls."""
    address = fleet.environment["NODE_URLS"].removeprefix("http://").rstrip("/")
    return [f"node:{address}:{kind}" for kind in ("lookup", "block")]


def force_open(fleet: Fleet, span: str) -> None:
    for name in breakers(fleet):
        said = fleet.manage("breaker", name, "open", "--for", span, "--reason", WHY)
        assert "acknowledged by 2 of 2 workers" in said


def verdicts(fleet: Fleet, run: int) -> list[tuple[Any, ...]]:
    return fleet.rows(
        "SELECT verdict, reason, count(*)::int FROM validation_result WHERE run_id = %s "
        "GROUP BY 1, 2",
        run,
    )


def claims(fleet: Fleet, run: int) -> int:
    """How often a worker took up chunks of the run."""
    rows = fleet.rows("SELECT sum(fence)::int FROM validation_chunk WHERE run_id = %s", run)
    return int(rows[0][0])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_call_reaches_the_node_from_the_acknowledgement_to_the_end(
    durable_cluster: Cluster,
) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        first = fleet.start_run(20)
        wait_until(lambda: fleet.finished(first), within_s=60, what="the run is done")
        force_open(fleet, "15m")
        before = asked(fleet)
        # Others than before: what is cached needs no node.
        run = fleet.start_run(21, kind="block")
        wait_until(lambda: claims(fleet, run) > 1, within_s=90, what="its chunk is held back")
        assert verdicts(fleet, run) == []
        assert asked(fleet) == before

        # A worker that starts now obeys before it asks anything.
        fleet.stop_worker()
        fleet.start_worker()
        again = fleet.start_run(22, kind="address")
        wait_until(lambda: claims(fleet, again) > 0, within_s=90, what="it is taken up")
        assert verdicts(fleet, again) == []
        assert asked(fleet) == before

        force_open(fleet, "6s")
        last = fleet.start_run(23, kind="block")
        for waited, count in ((run, 21), (again, 22), (last, 23)):
            wait_until(lambda w=waited: fleet.finished(w), within_s=90, what="the run is done")  # type: ignore[misc]
            assert verdicts(fleet, waited) == [("valid", "ok", count)]
        ended = "SELECT DISTINCT mode, expires_at < now() FROM validation_control"
        assert fleet.rows(ended) == [("forced_open", True)]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_change_while_the_cache_server_is_down_is_obeyed(durable_cluster: Cluster) -> None:
    with Fleet(cluster=durable_cluster) as fleet:
        force_open(fleet, "15m")
        durable_cluster.cache.stop()
        for name in breakers(fleet):
            with pytest.raises(AssertionError, match="It is written"):
                fleet.manage("breaker", name, "auto", "--reason", WHY)
        run = fleet.start_run(20)
        wait_until(lambda: fleet.finished(run), within_s=60, what="the run is done without it")
        assert verdicts(fleet, run) == [("valid", "ok", 20)]
        durable_cluster.cache.start()
        for name in breakers(fleet):
            wait_until(
                lambda name=name: "auto; acknowledged by 2 of 2" in fleet.manage("breaker", name),  # type: ignore[misc]
                within_s=60,
                what="both workers say so",
            )
