"""`manage.py fault`: what it refuses, and with which words."""

import pytest
from django.core.management import CommandError, call_command
from pytest_django import Settings

from console.faults import (
    cache_loss,
    memory_growth,
    node_outage,
    pgbouncer_mismatch,
    pool_exhaustion,
    replica_lag,
)
from console.faults.fault import CannotCause
from console.faults.table import FAULTS
from monitoring.alerts.catalogue import RULES


def _refused(*arguments: str) -> str:
    with pytest.raises(CommandError) as refused:
        call_command("fault", *arguments)
    assert refused.value.returncode == 2
    return str(refused.value)


def test_the_six_are_there_each_with_its_alert_and_its_runbook() -> None:
    assert set(FAULTS) == {
        "pool-exhaustion", "replica-lag", "pgbouncer-mismatch", "cache-loss", "node-outage",
        "memory-growth",
    }  # fmt: skip
    for fault in FAULTS.values():
        rule = RULES[fault.rule]
        assert rule.page in fault.look
        assert rule.runbook == fault.runbook


def test_where_neither_debug_nor_development_is_on_nothing_is_caused(settings: Settings) -> None:
    settings.DEVELOPMENT = settings.DEBUG = False
    assert "development stack" in _refused("cache-loss")


def test_what_cannot_be_read_is_named() -> None:
    assert "'cache-lost' is none of pool-exhaustion" in _refused("cache-lost")
    assert "'soon'" in _refused("cache-loss", "--for", "soon")
    assert "--for 2h is not from 1s to 10m" in _refused("cache-loss", "--for", "2h")


def test_what_is_missing_is_named_with_how_it_is_brought(
    settings: Settings, services: object
) -> None:
    with pytest.raises(CannotCause, match=r"REPLICAS=1"):
        replica_lag.FAULT.prepare()
    with pytest.raises(CannotCause, match=r"PGBOUNCER=1"):
        pgbouncer_mismatch.FAULT.prepare()
    with pytest.raises(CannotCause, match=r"is a demo node"):
        node_outage.FAULT.prepare()
    with pytest.raises(CannotCause, match=r"make up"):
        pool_exhaustion.FAULT.prepare()
    with pytest.raises(CannotCause, match=r"No worker is up"):
        memory_growth.FAULT.prepare()
    settings.REDIS_URL = "redis://cache.example/0"
    with pytest.raises(CannotCause, match=r"REDIS_URL"):
        cache_loss.FAULT.prepare()
    settings.NODES = ()
    with pytest.raises(CannotCause, match=r"NODE_URLS"):
        node_outage.FAULT.prepare()
