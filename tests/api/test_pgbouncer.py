"""GET /api/v1/pools/pgbouncer: what the collector saw, or why nothing is known."""

import pytest
from django.test import Client
from pytest_django import Settings

from monitoring.collectors import told
from monitoring.collectors.outcome import Outcome
from monitoring.collectors.pgbouncer import PgBouncerSample
from tests.pages.test_pgbouncer_pools import SAMPLE

ADDRESS = "/api/v1/pools/pgbouncer"


@pytest.fixture
def named(settings: Settings) -> None:
    settings.PGBOUNCER_ADMIN_URL = "postgresql://app:hush@bouncer:6432/pgbouncer"


def publish(sample: PgBouncerSample | None, failure: str = "") -> None:
    told.publish(Outcome(source="pgbouncer", took_s=0.01, sample=sample, failure=failure))


def test_who_waits_for_how_many(operator: Client, named: None) -> None:
    publish(SAMPLE)
    found = operator.get(ADDRESS).json()
    assert (found["clients"], found["clients_max"], found["waiting"]) == (61, 180, 7)
    assert (found["max_wait_s"], found["mean_wait_ms"], found["failure"]) == (3.2, 12.0, "")
    [pool] = found["pools"]
    assert (pool["database"], pool["used"], pool["max"], pool["waiting"]) == (
        "switchyard",
        20,
        20,
        7,
    )
    assert 0 <= found["age_s"] < 5
    assert "hush" not in str(found)


def test_its_silence_is_told_and_what_is_not_known_is_null(operator: Client, named: None) -> None:
    publish(None, "It cannot be reached, or the connection was cut.")
    found = operator.get(ADDRESS).json()
    assert found["failure"].startswith("It cannot be reached")
    assert (found["clients"], found["waiting"], found["age_s"], found["pools"]) == (
        None, None, None, [],
    )  # fmt: skip


def test_where_there_is_none(operator: Client) -> None:
    found = operator.get(ADDRESS).json()
    assert (found["named"], found["clients"], found["pools"]) == (False, None, [])


def test_where_nobody_can_be_asked(operator: Client, named: None, no_valkey: None) -> None:
    assert operator.get(ADDRESS).status_code == 503
