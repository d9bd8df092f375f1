"""What one look at a source came to: its sample, or why there is none. Failing is an answer too."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psycopg
import redis
import structlog
from django.core.exceptions import ImproperlyConfigured
from django.db import Error
from psycopg import errors

log = structlog.get_logger(__name__)

# What a source that is away or ill does; anything else is a mistake of ours and is raised.
ILL: Final = (psycopg.Error, Error, redis.RedisError, OSError, ImproperlyConfigured)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome[T]:
    """`sample` None: `failure` says why, in words that name no address and no credential."""

    source: str
    took_s: float
    sample: T | None
    failure: str = ""


class BrokerUnknown(OSError):
    """Its queue is not a list of Redis: RabbitMQ tells of itself elsewhere."""


class OutOfTime(psycopg.Error):
    """The time for all questions of one look was over before this one was asked."""


def look[T](source: str, ask: Callable[[], T]) -> Outcome[T]:
    """`ask()` with its time, or its failure."""
    started = time.monotonic()
    try:
        sample = ask()
    except ILL as exc:
        took_s = time.monotonic() - started
        state = getattr(exc, "sqlstate", None)
        log.warning("source.not_read", source=source, error=type(exc).__name__, sqlstate=state)
        return Outcome(source=source, took_s=took_s, sample=None, failure=words(exc))
    return Outcome(source=source, took_s=time.monotonic() - started, sample=sample)


def words(exc: BaseException) -> str:
    """Why a source did not answer; the server's own text may quote what nobody should read."""
    return next((said for kind, said in _WORDS if isinstance(exc, kind)), "It could not be asked.")


_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (OutOfTime, "Not asked: the questions before it took all the time there is for one look."),
    (errors.LockNotAvailable, "It waits for a lock that somebody holds: given up after 0.5 s."),
    (errors.QueryCanceled, "No answer within 2 s: the question was taken back."),
    (errors.InsufficientPrivilege, "The role may not read it: grant it pg_monitor."),
    (errors.UndefinedTable, "The extension or view is not there."),
    (errors.UndefinedFunction, "The extension or view is not there."),
    (errors.ObjectNotInPrerequisiteState, "pg_stat_statements is not preloaded by the server."),
    (errors.TooManyConnections, "It refuses connections: all that it allows are taken."),
    (errors.CannotConnectNow, "It is starting up or shutting down."),
    (psycopg.errors.ConnectionTimeout, "No connection within 2 s."),
    (psycopg.OperationalError, "It cannot be reached, or the connection was cut."),
    (psycopg.Error, "It refused the question."),
    (redis.exceptions.AuthenticationError, "It refused the password."),
    (redis.exceptions.NoPermissionError, "The user may not ask for it."),
    (redis.exceptions.TimeoutError, "No answer within 1 s."),
    (redis.exceptions.ConnectionError, "It cannot be reached."),
    (redis.exceptions.ResponseError, "It refused the question."),
    (BrokerUnknown, "Its queue is told by RabbitMQ itself: see its own page."),
    (ImproperlyConfigured, "Its address is not set."),
)
