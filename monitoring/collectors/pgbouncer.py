"""One look at PgBouncer by its own database: who waits for a connection, for how long, and of how
many. Two seconds at most.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final

import msgspec
import psycopg
from psycopg.rows import dict_row

from monitoring.collectors.cutting import cut_at

SOURCE: Final = "pgbouncer"
# Its name for itself, among databases.
_OWN: Final = "pgbouncer"
_LOOK_S: Final = 2.0

type _Row = dict[str, Any]


class Pool(msgspec.Struct, kw_only=True, frozen=True):
    """Of one database and user. `max` is what its database's users may have, each; `waiting`:
    clients that have a transaction to do and no connection; the first of them since `max_wait_s`.
    """

    database: str
    user: str
    mode: str
    used: int
    idle: int
    max: int
    clients: int
    waiting: int
    max_wait_s: float


class Counts(msgspec.Struct, kw_only=True, frozen=True):
    """Over all databases, since PgBouncer started."""

    transactions: int
    queries: int
    wait_us: int


class Rates(msgspec.Struct, kw_only=True, frozen=True):
    """Since the look before. `mean_wait_ms`: for a connection, a transaction."""

    window_s: float
    transactions_per_s: float
    queries_per_s: float
    mean_wait_ms: float | None


class Lent(msgspec.Struct, kw_only=True, frozen=True):
    """What it may open to one database: `pool` and `reserve` for each of `users`, `most` over all
    of them (0: no such limit).
    """

    database: str
    pool: int
    reserve: int
    most: int
    users: int


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """`user_most`: connections of one user over all databases; 0: no such limit."""

    mode: str
    query_wait_s: float
    user_most: int
    lent: tuple[Lent, ...]


class PgBouncerSample(msgspec.Struct, kw_only=True, frozen=True):
    """`pools`: those where clients wait first. `clients_max`: those that it accepts in all."""

    version: str
    clients_max: int
    pools: tuple[Pool, ...]
    counts: Counts
    rates: Rates | None
    # None: told by a release that did not read them.
    settings: Settings | None = None

    @property
    def clients(self) -> int:
        return sum(pool.clients for pool in self.pools)

    @property
    def waiting(self) -> int:
        return sum(pool.waiting for pool in self.pools)

    @property
    def max_wait_s(self) -> float:
        return max((pool.max_wait_s for pool in self.pools), default=0.0)


class PgBouncerCollector:
    """Remembers what it read before, so that counters become rates. For one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._before: tuple[float, Counts] | None = None

    def collect(self, url: str) -> PgBouncerSample:
        """`url` leads to PgBouncer's own database. Raises psycopg.Error."""
        shown = _show(url, "VERSION", "CONFIG", "POOLS", "DATABASES", "STATS_TOTALS")
        config = {row["key"]: row["value"] for row in shown["CONFIG"]}
        counts = _counts(shown["STATS_TOTALS"])
        pools = _pools(shown["POOLS"], shown["DATABASES"])
        return PgBouncerSample(
            version=shown["VERSION"][0]["version"].removeprefix("PgBouncer "),
            clients_max=int(config["max_client_conn"]),
            pools=pools,
            counts=counts,
            rates=self._rates(counts),
            settings=Settings(
                mode=config["pool_mode"],
                query_wait_s=float(config["query_wait_timeout"]),
                user_most=int(config["max_user_connections"]),
                lent=_lent(shown["DATABASES"], pools),
            ),
        )

    def _rates(self, counts: Counts) -> Rates | None:
        now = self._clock()
        before, self._before = self._before, (now, counts)
        if before is None or now <= before[0] or counts.transactions < before[1].transactions:
            return None
        window_s, base = now - before[0], before[1]
        done = counts.transactions - base.transactions
        return Rates(
            window_s=window_s,
            transactions_per_s=done / window_s,
            queries_per_s=(counts.queries - base.queries) / window_s,
            mean_wait_ms=(counts.wait_us - base.wait_us) / 1000 / done if done else None,
        )


def servers(url: str) -> frozenset[int]:
    """The processes of Postgres behind its connections, whoever they are lent to. Raises
    psycopg.Error.
    """
    return frozenset(row["remote_pid"] for row in _show(url, "SERVERS")["SERVERS"])


def _show(url: str, *what: str) -> dict[str, list[_Row]]:
    """It speaks the simple protocol alone and knows no transactions, so no limit but ours."""
    ends_at = time.monotonic() + _LOOK_S
    with (
        psycopg.connect(
            url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=int(_LOOK_S),
            application_name="switchyard collector",
            row_factory=dict_row,
        ) as link,
        cut_at(link, ends_at),
    ):
        return {name: link.execute(f"SHOW {name}".encode()).fetchall() for name in what}


def _pools(rows: list[_Row], databases: list[_Row]) -> tuple[Pool, ...]:
    sizes = {row["name"]: row["pool_size"] for row in databases}
    found = [_pool(row, sizes) for row in rows if row["database"] != _OWN]
    return tuple(sorted(found, key=lambda pool: (-pool.waiting, pool.database, pool.user)))


def _pool(row: _Row, sizes: dict[str, int]) -> Pool:
    return Pool(
        database=row["database"],
        user=row["user"],
        mode=row["pool_mode"],
        used=row["sv_active"] + row["sv_login"],
        # Those being looked at after a use lend themselves again at once.
        idle=row["sv_idle"] + row["sv_used"] + row["sv_tested"],
        max=sizes.get(row["database"], 0),
        clients=row["cl_active"] + row["cl_waiting"],
        waiting=row["cl_waiting"],
        max_wait_s=row["maxwait"] + row["maxwait_us"] / 1e6,
    )


def _lent(rows: list[_Row], pools: tuple[Pool, ...]) -> tuple[Lent, ...]:
    """A user is known once it asked: before the first one it counts as one."""
    users = Counter(pool.database for pool in pools)
    return tuple(
        Lent(
            database=row["name"],
            pool=row["pool_size"],
            # Since 1.24 it is called by what it is a size of.
            reserve=row.get("reserve_pool_size") or row.get("reserve_pool") or 0,
            most=row["max_connections"],
            users=max(1, users[row["name"]]),
        )
        for row in rows
        if row["name"] != _OWN
    )


def _counts(rows: list[_Row]) -> Counts:
    known = [row for row in rows if row["database"] != _OWN]
    return Counts(
        transactions=sum(int(row["xact_count"]) for row in known),
        queries=sum(int(row["query_count"]) for row in known),
        wait_us=sum(int(row["wait_time"]) for row in known),
    )
