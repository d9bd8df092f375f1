"""How long a statement may take on the connections of this process: changed while they are open."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import psycopg
from psycopg.pq import TransactionStatus

from monitoring.pooler import is_pooled
from validation.flags import STATEMENT_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """After them Postgres ends a statement, and the session of a transaction that does nothing."""

    statement_ms: int
    idle_in_transaction_ms: int


# By the flag's value. The source's baseline ends statements early and idle transactions late.
TIMEOUTS: Final[Mapping[int, Timeouts]] = {
    7_500: Timeouts(statement_ms=7_500, idle_in_transaction_ms=60_000),
    30_000: Timeouts(statement_ms=30_000, idle_in_transaction_ms=30_000),
}
OF_THE_ROLE: Final = "as the role has it"


class SessionTimeouts:
    """Those of one process. `set` on any thread; `obey` on that which has the connection's turn.

    Behind a pooler a session is not ours to set: there ALTER ROLE … SET decides, and nothing here.
    """

    def __init__(self) -> None:
        self._wanted = TIMEOUTS[STATEMENT_TIMEOUT.default]
        # None: a pooler stands between.
        self._obeyed: WeakKeyDictionary[psycopg.Connection[Any], Timeouts | None]
        self._obeyed = WeakKeyDictionary()
        self._is_pooled = False

    @property
    def statement_ms(self) -> int:
        return self._wanted.statement_ms

    @property
    def in_force(self) -> str:
        return OF_THE_ROLE if self._is_pooled else str(self._wanted.statement_ms)

    def set(self, statement_ms: int) -> None:
        """ValueError for what this release does not know."""
        if statement_ms not in TIMEOUTS:
            known = ", ".join(map(str, TIMEOUTS))
            raise ValueError(f"there is none of {statement_ms!r} ms; one of {known}")
        self._wanted = TIMEOUTS[statement_ms]

    def obey(self, connection: psycopg.Connection[Any]) -> bool:
        """Whether Postgres was asked, and so has shown that it answers. Raises psycopg's errors.

        In the middle of a transaction nothing is asked: what it set would go with a rollback.
        """
        wanted = self._wanted
        if connection.info.transaction_status != TransactionStatus.IDLE:
            return False
        if connection not in self._obeyed:
            return self._meet(connection, wanted)
        if self._obeyed[connection] in {None, wanted}:
            return False
        self._say(connection, wanted)
        return True

    def _meet(self, connection: psycopg.Connection[Any], wanted: Timeouts) -> bool:
        self._is_pooled = is_pooled(connection)
        if self._is_pooled:
            self._obeyed[connection] = None
        else:
            self._say(connection, wanted)
        return True

    def _say(self, connection: psycopg.Connection[Any], wanted: Timeouts) -> None:
        # One by one it could be left with half of it; both come with one message.
        connection.execute(
            f"SET statement_timeout = {wanted.statement_ms:d};"
            f" SET idle_in_transaction_session_timeout = {wanted.idle_in_transaction_ms:d}"
        )
        self._obeyed[connection] = wanted
