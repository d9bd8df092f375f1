"""Sizes of PgBouncer between what the fleet opens and what Postgres grants, or why none fit."""

from dataclasses import dataclass
from enum import StrEnum
from math import ceil
from typing import Final

from console.pgbouncer.fleet import Fleet

# Connections to Postgres itself: migrations, backups, replicas, a person at psql.
DIRECT: Final = 5
# A worker at full load on the demo node, the quickest there is, was within a transaction for 14 %
# of its time: seven keep one connection busy, and wait for each other by rule. Four leave room.
CLIENTS_A_SERVER: Final = 4
# While a release rolls out, the old processes and the new are there at once.
_ROLLING: Final = 2
_LEAST_CLIENTS: Final = 100


class Mode(StrEnum):
    """For how long PgBouncer lends a connection: a transaction, or until the client leaves."""

    TRANSACTION = "transaction"
    SESSION = "session"


class Unfit(ValueError):
    """No sizes fit; says which numbers meet, and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What Postgres grants. `reserved`: for superusers and for `pg_use_reserved_connections`."""

    max_connections: int
    reserved: int

    @property
    def free(self) -> int:
        return max(0, self.max_connections - self.reserved - DIRECT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`pool`: connections to Postgres at most; `clients`: those that PgBouncer accepts."""

    mode: Mode
    pool: int
    clients: int

    @property
    def descriptors(self) -> int:
        """Files that PgBouncer may have open: its sockets both ways, and some of its own."""
        return self.clients + self.pool + 20


def fit(fleet: Fleet, room: Room, mode: Mode) -> Sizes:
    """As many connections as the fleet could use at once, as far as Postgres grants them.

    Raises Unfit where that is less than the fleet needs to work.
    """
    least = needed(fleet, mode)
    if least > room.free:
        raise Unfit(_reason(fleet, room, mode, least))
    return Sizes(
        mode=mode,
        pool=min(fleet.clients, room.free),
        clients=max(_LEAST_CLIENTS, fleet.clients * _ROLLING),
    )


def needed(fleet: Fleet, mode: Mode) -> int:
    """Connections to Postgres without which clients would wait by rule."""
    if mode is Mode.SESSION:
        return fleet.clients  # each keeps its own until it leaves
    return ceil(fleet.clients / CLIENTS_A_SERVER)


def _reason(fleet: Fleet, room: Room, mode: Mode, least: int) -> str:
    why = (
        "session pooling keeps a connection for each client"
        if mode is Mode.SESSION
        else f"more than {CLIENTS_A_SERVER} clients for one connection wait for each other"
    )
    wanted = least + room.reserved + DIRECT
    others = (
        " or pool transactions (--mode transaction)"
        if mode is Mode.SESSION and needed(fleet, Mode.TRANSACTION) <= room.free
        else ""
    )
    return (
        f"The fleet opens {fleet.clients} connections ({fleet.of_workers} of {fleet.workers} "
        f"workers, {fleet.of_web} of {fleet.web} web processes with a pool of {fleet.pool}) and "
        f"needs {least} of Postgres, because {why}; max_connections={room.max_connections} leaves "
        f"{room.free} ({room.reserved} reserved, {DIRECT} for migrations and people). "
        f"Set max_connections to {wanted} or more, lower --workers, --web or --pool,{others}."
    ).replace(",.", ".")
