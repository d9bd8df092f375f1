"""The servers of a test session: its own, in a folder of its own, gone when it ends.

Importing this module points the environment at them, which must happen before Django's settings
are read; they start when the first collected test needs them.
"""

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from console.embedded.cluster import Cluster
from console.embedded.postgres import DURABLE, FAST

ROOT = Path(__file__).resolve().parent.parent
_PREFIX = "switchyard-test-"
# What the contract lets an operator set: a developer's shell must not change what tests see.
_OPERATORS = """
    PORT HOST VAR_DIR DATABASE_URL DATABASE_REPLICA_URLS PGBOUNCER_ADMIN_URL REDIS_URL
    CELERY_BROKER_URL NODE_URLS WORKERS SECRET_KEY SECRET_KEY_FILE ALLOWED_HOSTS DEBUG DEVELOPMENT
    SWITCHYARD_ADMIN_PASSWORD SWITCHYARD_PROCESS DATABASE_OWNER_URL CSRF_TRUSTED_ORIGINS
    TRUSTED_PROXIES NODE_CHAIN_ID NODE_PRIVATE_NETWORKS NODE_MAX_IN_FLIGHT CHECKPOINT
    METRICS_NETWORKS COLLECT OFREP_ORIGINS OFREP_RATE API_RATE NOTIFY_URLS REPLICAS PROMETHEUS_URL
    PGBOUNCER
    DB_POOL_MAX L1_CACHE_SIZE L1_TTL WORKER_MEMORY_MB
    STATIC_ROOT SECURE_SSL_REDIRECT RETAIN_RUNS_DAYS RETAIN_EVIDENCE_DAYS RETAIN_AUDIT_DAYS
    RETAIN_ALERTS_DAYS
""".split()  # noqa: SIM905 - a list of them would be 34 lines


def _folder() -> Path:
    """A short path (sockets need one), named by this process so that a later one can sweep it."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        pid = left.name.removeprefix(_PREFIX).split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-"))
    folder.chmod(0o755)  # servers that root starts run as another user
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


FOLDER = _folder()
CLUSTER = Cluster.under(FOLDER / "var", settings=FAST)


def process_environment(cluster: Cluster) -> dict[str, str]:
    """The environment of a process of Switchyard that works on `cluster` and nothing else."""
    kept = {name: value for name, value in os.environ.items() if name not in _OPERATORS}
    return kept | _settings(cluster)


def _settings(cluster: Cluster) -> dict[str, str]:
    return {
        **cluster.environment,
        "VAR_DIR": str(cluster.places.var),
        "SECRET_KEY": "only-for-tests-" + "0" * 40,
        "DEVELOPMENT": "1",
        # Nobody listens there: a test that wants a node starts one.
        "NODE_URLS": "http://127.0.0.1:9/",
        "DJANGO_SETTINGS_MODULE": "console.settings",
    }


def _point_environment() -> None:
    for name in _OPERATORS:
        os.environ.pop(name, None)
        os.environ.pop(f"{name}_FILE", None)
    os.environ.update(_settings(CLUSTER))


_point_environment()


@pytest.fixture(scope="session")
def services() -> Cluster:
    """The session's servers, running. Not durable: use `durable_cluster` to crash one."""
    if not CLUSTER.postgres.running:
        CLUSTER.start()
    return CLUSTER


@pytest.fixture(scope="session")
def django_db_modify_db_settings(services: Cluster) -> None:
    """pytest-django makes the test database after this: wherever the test lies, a server runs."""


@pytest.fixture
def durable_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Servers for one test to kill, restart and wipe: `.postgres.kill9()`, `.broker.restart()` …"""
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)
    with Cluster.under(folder, settings=DURABLE) as cluster:
        yield cluster
    shutil.rmtree(folder, ignore_errors=True)
