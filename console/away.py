"""What is told while the database cannot be asked: why, and what Valkey knows without it."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import psycopg
from django.conf import settings
from django.db import connections
from psycopg import OperationalError
from psycopg.errors import QueryCanceled
from psycopg_pool import PoolTimeout, TooManyRequests

from console import fleetview
from console.fleetview import Fleet
from console.postgres import lending

# Of connections: none could be made, one was ended, there is no room for another.
_AWAY = ("08", "53", "57P")


class Why(StrEnum):
    """Why a question was not answered."""

    AWAY = "away"
    FULL = "full"
    SLOW = "slow"
    OTHER = "other"


def why(error: BaseException) -> Why:
    """By what the driver raised; Django's own error wraps it. Ours have causes of their own."""
    raised = error if isinstance(error, psycopg.Error) else error.__cause__ or error
    match raised:
        case PoolTimeout() | TooManyRequests():
            return Why.FULL
        case QueryCanceled():
            return Why.SLOW
        case OperationalError(sqlstate=str(state)) if not state.startswith(_AWAY):
            return Why.OTHER
        case _:
            return Why.AWAY


_SAID = {
    Why.AWAY: "The database does not answer.",
    Why.FULL: "Every database connection of this process is taken.",
    Why.SLOW: "The database took too long, and was told to stop.",
    Why.OTHER: "The database could not do it now.",
}


def said(error: BaseException) -> str:
    return _SAID[why(error)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedBreaker:
    """One that is not closed: in which state, on how many of the workers that are up."""

    name: str
    state: str
    workers: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StillKnown:
    """By the workers' own words of the last seconds. `rate` is items a second."""

    fleet: Fleet
    rate: float
    breakers: int
    blocked: tuple[BlockedBreaker, ...]
    age_s: float | None


def still_known() -> StillKnown:
    """Asks Valkey alone."""
    fleet = fleetview.look()
    seen = Counter((b.name, b.state) for worker in fleet.up for b in worker.breakers)
    blocked = (
        BlockedBreaker(name=name, state=state.replace("_", " "), workers=workers)
        for (name, state), workers in sorted(seen.items())
        if state != "closed"
    )
    return StillKnown(
        fleet=fleet,
        rate=sum(worker.rate for worker in fleet.up),
        breakers=len({name for name, _ in seen}),
        blocked=tuple(blocked),
        age_s=max((worker.age_s for worker in fleet.up), default=None),
    )


def away_s() -> float | None:
    """For how long this process has missed the database; None: it does not, or cannot say."""
    return lending.away_s()


def pool_max() -> int:
    """Connections that this process may hold now."""
    pool = getattr(connections["default"], "pool", None)
    return int(pool.max_size if pool is not None else settings.DB_POOL_MAX)
