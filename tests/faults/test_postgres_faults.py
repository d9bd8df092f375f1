"""What goes wrong in Postgres: each raises its alert once, shows on its page, and clears."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import connections
from django.utils import timezone

from monitoring.models import Alert, Notification
from tests.faults.conftest import See
from tests.faults.scene import Scene, no_sooner
from tests.services import CLUSTER

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("unseen")]

type Others = Callable[[str], psycopg.Connection[Any]]


def test_a_restart_is_no_alarm_and_an_outage_is_told_once(see: See) -> None:
    scene = Scene()
    scene.look()
    connections.close_all()
    CLUSTER.postgres.stop()
    try:
        assert scene.look().mine is None
        assert scene.look().mine is None
        assert scene.directly == []
    finally:
        CLUSTER.postgres.start()
    assert scene.look().mine
    assert not Alert.objects.exists()
    connections.close_all()
    CLUSTER.postgres.stop()
    try:
        for _ in range(6):
            scene.look()
        assert len(scene.directly) == 1
    finally:
        CLUSTER.postgres.start()
    text = see("/database/")
    assert "Postgres does not answer the collector." in text
    alert = scene.until("postgres.down", "firing", most=1)
    assert alert.told == "critical"
    assert alert.words.startswith("Postgres does not answer: It cannot be reached")
    scene.until("postgres.down", "cleared")
    scene.told_once("postgres.down")
    assert Notification.objects.filter(key=scene.directly[0], what="fired").exists()
    assert "does not answer the collector" not in see("/database/")


def test_locks_that_pile_up(see: See, others: Others) -> None:
    scene = Scene(postgres__lock_waits=(0.5, 600.0))
    holder, waiters = others("migrate"), [others(f"waiter {n}") for n in range(3)]
    holder.execute("BEGIN; LOCK TABLE monitoring_incarnation")
    ask = "UPDATE monitoring_incarnation SET kind = 'x' WHERE id = 'nobody'"
    threads = [threading.Thread(target=one.execute, args=[ask]) for one in waiters]
    for thread in threads:
        thread.start()
    try:
        no_sooner(timezone.now(), 0.6)
        alert = scene.until("postgres.lock_waits", "firing", most=3)
        assert f"held up by pid {holder.info.backend_pid}" in alert.words
        assert alert.words.startswith("3 wait; pid ")
        text = see("/database/")
        assert "Waiting for locks 3" in text
        assert "waiter 1 RowExclusiveLock monitoring_incarnation" in text
    finally:
        holder.execute("ROLLBACK")
        for thread in threads:
            thread.join(10)
    scene.until("postgres.lock_waits", "cleared")
    scene.told_once("postgres.lock_waits")
    assert "Nobody waits for a lock" in see("/database/")


@pytest.mark.parametrize("state", ["idle in transaction", "active"])
def test_a_transaction_that_is_kept_open(see: See, others: Others, state: str) -> None:
    """By somebody who only forgot it, and by a statement that does not end."""
    scene = Scene(postgres__long_transaction=(1.0, 600.0))
    keeper = others("keeper")
    keeper.execute("BEGIN")
    keeper.execute("SELECT 1")
    working = threading.Thread(target=_sleep, args=[keeper])
    if state == "active":
        working.start()
    try:
        no_sooner(timezone.now(), 1.1)
        alert = scene.until("postgres.long_transaction", "firing", most=3)
        assert alert.words.startswith("keeper has one open for ")
        assert alert.words.endswith(f"({state}).")
        text = see("/database/")
        assert f"{keeper.info.backend_pid} keeper {state}" in text
    finally:
        keeper.cancel_safe()
        if state == "active":
            working.join(10)
        keeper.execute("ROLLBACK")
    scene.until("postgres.long_transaction", "cleared")
    scene.told_once("postgres.long_transaction")
    assert "keeper idle in transaction" not in see("/database/")


def _sleep(on: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.QueryCanceled):
        on.execute("SELECT pg_sleep(60)")


def test_a_statement_that_is_slow(see: See, others: Others) -> None:
    scene = Scene()
    scene.look()
    sessions = [others(f"reader {n}") for n in range(11)]
    threads = [threading.Thread(target=_slowly, args=[one]) for one in sessions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    alert = scene.until("postgres.slow_statement", "firing", most=12)
    assert "in the mean of 22 calls: SELECT pg_sleep($1) AS dawdles" in alert.words
    assert "SELECT pg_sleep($1) AS dawdles" in see("/database/")
    # What was slow is over once it has left the window of five minutes.
    scene.look(310)
    scene.until("postgres.slow_statement", "cleared", seconds=60)
    scene.told_once("postgres.slow_statement")
    assert "dawdles" not in see("/database/")


def _slowly(on: psycopg.Connection[Any]) -> None:
    for _ in range(2):
        on.execute("SELECT pg_sleep(0.11) AS dawdles")
