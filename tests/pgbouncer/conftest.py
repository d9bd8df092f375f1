"""A PgBouncer before the session's Postgres and the test's database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from django.db import connection

from console.embedded.cluster import Cluster
from console.pgbouncer import Mode
from tests.pgbouncer.bouncer import Bouncer

type Bounce = Callable[..., Bouncer]


@pytest.fixture
def bounce(pgbouncer: str, services: Cluster, transactional_db: None) -> Iterator[Bounce]:
    """Starts one; it ends with the test."""
    with ExitStack() as stack:

        def start(mode: Mode = Mode.TRANSACTION, *, pool: int = 3, waits_s: int = 5) -> Bouncer:
            made = Bouncer(
                binary=pgbouncer,
                cluster=services,
                mode=mode,
                pool=pool,
                database=connection.settings_dict["NAME"],
                waits_s=waits_s,
            )
            return stack.enter_context(made)

        yield start
