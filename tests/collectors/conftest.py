"""A Postgres with the extension, sessions that hold and wait, and an empty cache server."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import psycopg
import pytest
from django.test import override_settings

from monitoring import valkey
from tests.services import CLUSTER

# How long to wait for what another process does, and how often to look.
WITHIN_S = 10.0


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    valkey.client().flushdb()
    yield
    valkey.client().flushdb()


@pytest.fixture
def session(transactional_db: None) -> Iterator[Callable[..., psycopg.Connection[Any]]]:
    """Opens sessions of the test's own database, outside Django's."""
    with ExitStack() as opened:

        def connect(name: str = "a test") -> psycopg.Connection[Any]:
            from django.db import connection  # noqa: PLC0415 - its name is the test database's now

            url = CLUSTER.postgres.url_of(str(connection.settings_dict["NAME"]))
            made = psycopg.connect(url, application_name=name, autocommit=True)
            opened.callback(made.close)
            return made

        yield connect


@pytest.fixture
def no_valkey() -> Iterator[None]:
    valkey.client.cache_clear()
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        yield
    valkey.client.cache_clear()
