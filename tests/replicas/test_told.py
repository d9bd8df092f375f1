"""What pages, API, metrics and history say of replicas: from one telling, and nothing from none."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import msgspec
import pytest
from django.db import connection
from django.test import Client

from console.database import ReplicaUrl
from console.flags import web
from console.flags.catalogue import REPLICA_ROUTING
from console.replicas import standing, watching
from monitoring import collected, valkey
from monitoring.collectors import told
from monitoring.collectors.outcome import Outcome
from monitoring.collectors.replicas import SOURCE, ReplicasSample, ReplicaStanding
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
WELL = ReplicaStanding(
    label="replica_1", weight=60, in_use=True, why="", reachable=True,
    lag_s=0.2, lag_bytes=4096, round_trip_ms=0.8, seen_s=1.0,
)  # fmt: skip
BEHIND = ReplicaStanding(
    label="replica_2", weight=40, in_use=False, why="It is 7.3 s behind; 5 s are allowed.",
    reachable=True, lag_s=7.3, lag_bytes=9_000_000, round_trip_ms=1.1, seen_s=1.0,
)  # fmt: skip
AWAY: dict[str, Any] = {
    "reachable": False, "lag_s": None, "lag_bytes": None, "round_trip_ms": None,
    "why": "It cannot be reached, or the connection was cut.",
}  # fmt: skip


@pytest.fixture(autouse=True)
def nobody_tells() -> Iterator[None]:
    valkey.client().delete(f"switchyard:collected:{SOURCE}")
    yield
    valkey.client().delete(f"switchyard:collected:{SOURCE}")


def tell(*replicas: ReplicaStanding) -> None:
    sample = ReplicasSample(replicas=replicas)
    told.publish(Outcome(source=SOURCE, took_s=0.0, sample=sample))


@pytest.mark.parametrize("page", ["/pools/", "/database/"])
def test_pages_show_state_share_lag_and_why(viewer: Client, see: See, page: str) -> None:  # noqa: F811
    tell(WELL, BEHIND)
    text = see(viewer, page).text.replace("\u202f", " ")
    assert "replica_1 In use 60.0 % 0.2 s 4.1 kB" in text
    assert "replica_2 Not in use It is 7.3 s behind; 5 s are allowed. 40.0 % 7.3 s 9.0 MB" in text


def test_one_that_is_gone_has_no_figures(viewer: Client, see: See) -> None:  # noqa: F811
    tell(WELL, msgspec.structs.replace(BEHIND, **AWAY))
    text = see(viewer, "/pools/").text
    assert "replica_2 No answer It cannot be reached, or the connection was cut." in text
    assert "no data no data" in text


def test_what_nobody_tells_is_no_data_where_there_are_replicas(
    viewer: Client,  # noqa: F811
    see: See,  # noqa: F811
    settings: Any,
) -> None:
    assert "replica" not in see(viewer, "/pools/").text.lower().replace("replicas behind", "")
    settings.REPLICAS = (ReplicaUrl(label="replica_1", url="postgresql:///x", weight=1),)
    assert "No data: nobody watches the replicas" in see(viewer, "/pools/").text


def test_with_the_flag_off_a_well_one_is_not_called_used(viewer: Client, see: See) -> None:  # noqa: F811
    tell(WELL)
    with patch.object(web, "_current", web.WebDecisions.by({REPLICA_ROUTING.key: "off"})):
        assert "replica_1 Well The flag is off." in see(viewer, "/pools/").text


def test_the_api_tells_the_same(viewer: Client) -> None:  # noqa: F811
    assert viewer.get("/api/v1/pools/replicas").json() == {"replicas": []}
    tell(WELL, BEHIND)
    rows = json.loads(viewer.get("/api/v1/pools/replicas").content)["replicas"]
    assert [(row["label"], row["in_use"], row["lag_s"], row["why"]) for row in rows] == [
        ("replica_1", True, 0.2, ""),
        ("replica_2", False, 7.3, BEHIND.why),
    ]
    assert all(1.0 <= row["seen_s"] < 30 for row in rows)


def test_metrics_leave_out_what_is_not_known(db: None) -> None:
    tell(WELL, msgspec.structs.replace(BEHIND, **AWAY))
    samples = {
        (s.name, s.labels["replica"]): s.value
        for family in collected.families()
        for s in family.samples
        if "replica" in s.labels
    }
    assert samples == {
        ("switchyard_replica_up", "replica_1"): 1.0,
        ("switchyard_replica_up", "replica_2"): 0.0,
        ("switchyard_replica_in_use", "replica_1"): 1.0,
        ("switchyard_replica_in_use", "replica_2"): 0.0,
        ("switchyard_replication_lag_seconds", "replica_1"): 0.2,
        ("switchyard_replication_lag_bytes", "replica_1"): 4096.0,
    }


def test_history_keeps_the_farthest_behind(db: None) -> None:
    assert list(watching.figures()) == []
    tell(WELL, BEHIND)
    assert {figure.name: figure.value for figure in watching.figures()} == {
        "replicas.in_use": 1.0,
        "replicas.lag_s": 7.3,
        "replicas.lag_bytes": 9_000_000.0,
    }


def test_what_is_older_than_a_minute_is_told_no_more(db: None) -> None:
    tell(WELL)
    valkey.client().expire(f"switchyard:collected:{SOURCE}", told.SAMPLE_S - 61)
    assert standing() == ()


def test_this_process_has_no_replicas_of_its_own() -> None:
    """As a worker or a command: nothing to watch, and Django knows one database."""
    assert connection.alias == "default"
    watching.begin()()
