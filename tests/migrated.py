"""A database as the migrations leave it: they run once a process of the tests, and each server of a
test's own after that is given a copy.
"""

import subprocess
import sys
import threading
from collections.abc import Mapping

import psycopg

from console.embedded.binaries import postgres_binary
from monitoring.pooler import is_pooled
from tests.services import FOLDER, ROOT

_DUMP = FOLDER / "migrated.sql"
_once = threading.Lock()


def migrate(environment: Mapping[str, str]) -> None:
    """The database of DATABASE_URL there, as `manage.py migrate` would."""
    url = environment["DATABASE_URL"]
    if not _takes_a_copy(url):
        _manage_migrate(environment)
        return
    with _once:
        if not _DUMP.exists():
            _manage_migrate(environment)
            _run("pg_dump", "--no-owner", f"--file={_DUMP}", url)
            return
    # In one transaction: who looks at it meanwhile sees all of it or nothing.
    _run(
        "psql", "-X", "-q", "-1", "-o", "/dev/null", "-v", "ON_ERROR_STOP=1", "-f", str(_DUMP), url
    )


def _takes_a_copy(url: str) -> bool:
    """One that is empty. A copy sets what a pooler's other clients would find set."""
    with psycopg.connect(url, prepare_threshold=None) as link:
        row = link.execute("SELECT to_regclass('django_migrations') IS NULL").fetchone()
        return bool(row and row[0]) and not is_pooled(link)


def _manage_migrate(environment: Mapping[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _run(name: str, *arguments: str) -> None:
    done = subprocess.run(
        [postgres_binary(name), *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
