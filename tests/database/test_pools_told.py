"""What web processes say of their pools, on /pools/ and by API: in sum, by process, and nothing."""

import json
from collections.abc import Callable
from unittest.mock import patch

import pytest
import redis
from django.test import Client

from console import fleetview
from monitoring import processes
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample
from tests.pages.conftest import (  # noqa: F401 - fixtures, by name
    Page,
    clients,
    no_workers,
    people,
    see,
    static_root,
    viewer,
)

See = Callable[..., Page]
pytestmark = pytest.mark.django_db


def tell(
    pid: int, used: int, *, waiting: int = 0, lent: int = 100, name: str = "db.primary"
) -> None:
    """A web process with a pool of 8, which gave each connection after 2 ms."""
    pool = {"pool": name}
    gauges = (
        Sample("switchyard_pool_connections", {**pool, "state": "used"}, used),
        Sample("switchyard_pool_connections", {**pool, "state": "idle"}, 1),
        Sample("switchyard_pool_connections_max", pool, 8),
        Sample("switchyard_pool_waiting", pool, waiting),
    )
    counters = (
        Sample("switchyard_pool_wait_seconds_count", pool, lent),
        Sample("switchyard_pool_wait_seconds_sum", pool, lent * 0.002),
        Sample("switchyard_pool_wait_seconds_count", {"pool": "node:8545"}, 5),
    )
    name_of_it = f"rack-4:{pid}:1700000000000000"
    processes.publish(
        ProcessSnapshot(
            incarnation=name_of_it, kind="web", sequence=1, gauges=gauges, counters=counters
        )
    )


def test_the_page_shows_the_sum_and_the_fullest_process_first(viewer: Client, see: See) -> None:  # noqa: F811
    tell(11, 2)
    tell(12, 8, waiting=3)
    text = see(viewer, "/pools/").text.replace("\u202f", " ")
    assert "db.primary 2 web processes" in text
    assert "Fleet sum 10 + 2 / 16 3 200 2.0 ms" in text
    assert text.index("12@rack-4") < text.index("11@rack-4")


def test_one_process_needs_no_sum(viewer: Client, see: See) -> None:  # noqa: F811
    tell(11, 2, lent=0)
    text = see(viewer, "/pools/").text
    assert "Fleet sum" not in text
    assert "11@rack-4 2 + 1 / 8 0 0 –" in text


def test_no_data_is_said(viewer: Client, see: See) -> None:  # noqa: F811
    assert "No web process reports a pool" in see(viewer, "/pools/").text
    with patch.object(processes, "told", side_effect=redis.ConnectionError):
        assert "No web process reports: Valkey unreachable" in see(viewer, "/pools/").text


def test_who_fell_silent_has_no_word(viewer: Client) -> None:  # noqa: F811
    tell(11, 2)
    (told,) = processes.told()
    with patch.object(processes, "told", return_value=[_old(told)]):
        assert fleetview.database_pools() == ()


def _old(told: ProcessSnapshot) -> ProcessSnapshot:
    return ProcessSnapshot(
        incarnation=told.incarnation, kind="web", sequence=2, gauges=told.gauges, age_s=9.0
    )


def test_replicas_stand_under_their_own_names(viewer: Client) -> None:  # noqa: F811
    tell(11, 2, name="db.replica_1")
    assert [of.pool for of in fleetview.database_pools() or ()] == ["db.replica_1"]


def test_the_api_tells_the_same(viewer: Client) -> None:  # noqa: F811
    tell(11, 2)
    tell(12, 8, waiting=3)
    rows = json.loads(viewer.get("/api/v1/pools/databases").content)["pools"]
    assert [(row["process"], row["used"], row["waiting"], row["max"]) for row in rows] == [
        ("", 10, 3, 16),
        ("12@rack-4", 8, 3, 8),
        ("11@rack-4", 2, 0, 8),
    ]
    with patch.object(processes, "told", side_effect=redis.ConnectionError):
        answer = viewer.get("/api/v1/pools/databases")
    assert (answer.status_code, "cache server" in answer.json()["detail"]) == (503, True)
