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
# Of PgBouncer, sockets aside: listeners, logs, what a library opens.
_OWN_FILES: Final = 20


class Mode(StrEnum):
    """For how long PgBouncer lends a connection: a transaction, or until the client leaves."""

    TRANSACTION = "transaction"
    SESSION = "session"


class Unfit(ValueError):
    """No sizes fit; says which numbers meet, and what to change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What Postgres grants. `reserved`: for superusers and for `pg_use_reserved_connections`;
    `foreign`: connections now of whoever is not ours.
    """

    max_connections: int
    reserved: int
    foreign: int = 0

    @property
    def others(self) -> int:
        return left_to_others(self.foreign)

    @property
    def free(self) -> int:
        return max(0, self.max_connections - self.reserved - self.others)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """`pool`: connections to Postgres at most; `clients`: those that PgBouncer accepts."""

    mode: Mode
    pool: int
    clients: int

    @property
    def descriptors(self) -> int:
        return descriptors(self.clients, self.pool)


def fit(fleet: Fleet, room: Room, mode: Mode) -> Sizes:
    """As many connections as the fleet could use at once, as far as Postgres grants them.

    Raises Unfit where that is less than the fleet needs to work.
    """
    least = needed(fleet.clients, mode)
    if least > room.free:
        raise Unfit(_reason(fleet, room, mode, least))
    return Sizes(
        mode=mode,
        pool=min(fleet.clients, room.free),
        clients=accepted(fleet.clients),
    )


def accepted(clients: int) -> int:
    """Clients that PgBouncer is to accept, for so many at most."""
    return max(_LEAST_CLIENTS, clients * _ROLLING)


def a_server(mode: str) -> int:
    """Clients that one connection to Postgres serves; by session each keeps its own."""
    return 1 if mode == Mode.SESSION else CLIENTS_A_SERVER


def needed(clients: int, mode: str) -> int:
    """Connections to Postgres without which clients would wait by rule."""
    return ceil(clients / a_server(mode))


def left_to_others(foreign: int) -> int:
    """Connections that are not ours to take: as many as others have, and some in any case."""
    return max(DIRECT, foreign)


def descriptors(clients: int, servers: int) -> int:
    """Files that PgBouncer may have open: its sockets both ways, and some of its own."""
    return clients + servers + _OWN_FILES


def _reason(fleet: Fleet, room: Room, mode: Mode, least: int) -> str:
    why = (
        "session pooling keeps a connection for each client"
        if mode is Mode.SESSION
        else f"more than {CLIENTS_A_SERVER} clients for one connection wait for each other"
    )
    wanted = least + room.reserved + room.others
    others = (
        " or pool transactions (--mode transaction)"
        if mode is Mode.SESSION and needed(fleet.clients, Mode.TRANSACTION) <= room.free
        else ""
    )
    return (
        f"The fleet opens {fleet.clients} connections ({fleet.of_workers} of {fleet.workers} "
        f"workers, {fleet.of_web} of {fleet.web} web processes with a pool of {fleet.pool}) and "
        f"needs {least} of Postgres, because {why}; max_connections={room.max_connections} leaves "
        f"{room.free} ({room.reserved} reserved, {room.others} for migrations, people and others). "
        f"Set max_connections to {wanted} or more, lower --workers, --web or --pool,{others}."
    ).replace(",.", ".")
