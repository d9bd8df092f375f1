"""Each test begins with an empty history, and with nothing that another was told."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from console.roadmap.gates import standing
from tests.access.conftest import (  # noqa: F401 - fixtures, found by name
    clients,
    people,
    quick_passwords,
    static_root,
)
from tests.controls.conftest import empty_cache, no_valkey  # noqa: F401 - as above


@pytest.fixture
def viewer(clients: dict[str, Client]) -> Client:  # noqa: F811 - the fixture
    return clients["viewer"]


@pytest.fixture
def empty_history(db: None) -> None:
    """Until the test's transaction is rolled back."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM monitoring_point_10s")
        cursor.execute("DELETE FROM monitoring_point_1m")
        cursor.execute("DELETE FROM monitoring_point_1h")


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    standing.forget()
    yield
    standing.forget()
