"""A real Postgres with two streaming replicas, and a web process that reads from them."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from console.embedded.cluster import Cluster
from tests.database.conftest import KEPT, Site, serving
from tests.replicas.clock import Clock
from tests.services import FOLDER


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(dir=FOLDER))
    folder.chmod(0o755)  # servers that root starts run as another user
    with Cluster.under(folder, settings=KEPT, replicas=2) as cluster:
        yield cluster
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def site(cluster: Cluster) -> Iterator[Site]:
    with serving(cluster) as site:
        yield site


def ask(url: str, query: str, *values: object) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as link:
        found = link.execute(query.encode(), values)
        return found.fetchall() if found.description else []
