"""What processes really hold, counted by Postgres, is what the sums reckon with."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from console.embedded.cluster import Cluster
from console.pgbouncer.fleet import A_BEAT, A_WEB_BESIDE_ITS_POOL
from tests.fleet import free_port
from tests.services import ROOT, process_environment

_POOL, _ASKS = 2, "switchyard collector"
# Nobody asks /readyz here: its connection would be one more of the pool's name.
_READY = 1
# A machine that stalls connects what is counted seconds later.
_WITHIN_S, _THEN_S = 40.0, 8.0
# Who collects and who evaluates waits for these while it holds what it has.
_LOCKED = "validation_chunk, access_auditcheck"


@pytest.fixture
def url(services: Cluster, transactional_db: None) -> str:
    return services.postgres.url_of(connection.settings_dict["NAME"])


@contextmanager
def process(services: Cluster, url: str, *command: str) -> Iterator[None]:
    own = {"DATABASE_URL": url, "DB_POOL_MAX": str(_POOL), "COLLECT": "1", "NOTIFY_URLS": ""}
    environment = process_environment(services) | own
    started = subprocess.Popen([sys.executable, "-m", *command], cwd=ROOT, env=environment)
    try:
        yield
    finally:
        started.kill()  # what it is in the middle of waits for our lock
        started.wait(timeout=10)


def most_at_once(url: str, database: str) -> Counter[str]:
    """Of each name, from its start until both askers were seen, and a little longer. They meet,
    because the tables that they ask of are locked.
    """
    most: Counter[str] = Counter()
    ends_at = time.monotonic() + _WITHIN_S
    with (
        psycopg.connect(url, application_name="test locks") as locks,
        psycopg.connect(url, autocommit=True, application_name="test eyes") as eyes,
    ):
        ours = [pid for (pid,) in eyes.execute(_THERE).fetchall()]
        locks.execute(f"LOCK TABLE {_LOCKED} IN ACCESS EXCLUSIVE MODE".encode())
        while time.monotonic() < ends_at:
            found = Counter(name for (name,) in eyes.execute(_HELD, (database, ours)))
            if most[_ASKS] < 2 <= found[_ASKS]:
                ends_at = min(ends_at, time.monotonic() + _THEN_S)
            most |= found
            eyes.execute("SELECT pg_sleep(0.02)")
    return most


_THERE = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend'"
_HELD = """
SELECT application_name FROM pg_stat_activity
WHERE backend_type = 'client backend' AND datname = %s AND pid <> ALL (%s)
"""


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_web_holds_what_is_reckoned_with(services: Cluster, url: str) -> None:
    command = ("uvicorn", "console.asgi:application", "--port", str(free_port()))
    with process(services, url, *command, "--log-level", "warning"):
        found = most_at_once(url, connection.settings_dict["NAME"])
    beside = found.total() - found["switchyard web"]
    assert beside + _READY == A_WEB_BESIDE_ITS_POOL, found
    assert found["switchyard web"] <= _POOL


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_beat_holds_no_more_than_is_reckoned_with(
    services: Cluster, url: str, tmp_path: Path
) -> None:
    schedule = str(tmp_path / "beat")
    with process(services, url, "celery", "-A", "console.celery", "beat", "-s", schedule):
        found = most_at_once(url, connection.settings_dict["NAME"])
    assert found[_ASKS] == 2, found
    assert A_BEAT - 2 <= found.total() <= A_BEAT, found
