"""The backend that Django finds here: its own for Postgres, but for how a connection is lent."""

from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel

from console.postgres.lending import lender_of
from console.postgres.timing import timed


class DatabaseWrapper(base.DatabaseWrapper):
    """With `pool` among its options; without, it is Django's. Statements are timed in either."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.execute_wrappers.append(timed)

    def get_new_connection(self, conn_params: dict[str, Any]) -> psycopg.Connection[Any]:
        pool = self.pool
        if pool is None:
            plain: psycopg.Connection[Any] = super().get_new_connection(conn_params)
            return plain
        self.isolation_level = IsolationLevel.READ_COMMITTED
        pool.open()
        return lender_of(pool.name).lend(pool)

    def _configure_connection(self, connection: psycopg.Connection[Any]) -> bool:
        """Called for each that the pool has made, before anybody waits for it."""
        wants_commit: bool = super()._configure_connection(connection)  # type: ignore[misc]  # as below
        if (pool := self.pool) is not None:
            lender_of(pool.name).outage.end(pool.name)
        return wants_commit

    def _close(self) -> None:
        lent, pool = self.connection, self.pool
        try:
            super()._close()  # type: ignore[misc]  # the stubs have not what backends override
        finally:
            if pool is not None:
                lender_of(pool.name).taken_back(lent)
