"""Where one request reads: from a replica, if it is one of the addresses that say so below.

The rule: what is live or decides is read from the primary. A replica answers for what has ended or
is a picture of a moment anyway: lists, finished runs and their results, downloads. Whatever it
answers but with success is asked again of the primary.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import structlog
from django.db import DEFAULT_DB_ALIAS, Error, InterfaceError, connections
from django.http import Http404, HttpRequest, HttpResponseBase
from psycopg_pool import PoolTimeout, TooManyRequests

from console import away, patience
from console.away import Why
from console.flags import web
from console.flags.catalogue import REPLICA_ROUTING
from console.replicas import written
from console.replicas.choosing import CHOICES, off
from console.replicas.lag import lsn_of
from console.replicas.watch import Watch, Watched
from console.replicas.written import ALL, Written
from monitoring.collectors.cutting import cut_at
from monitoring.instruments import DB_READS

# By the names of their addresses. Pages only as a whole: what htmx asks for was announced by an
# event, which a replica may not have heard of yet.
PAGES: Final = frozenset({"runs", "run", "run-item", "run-export"})
# Ninja names an address by its first operation: this is the list of runs, and a run's results.
API: Final = frozenset({"start", "get_results"})
_SAFE: Final = PAGES | API
_PATIENCE_S: Final = 0.25
# Of all that one answer, or one part of a download, reads; most take milliseconds.
_ANSWER_S: Final = 3.0
_FULL: Final = (PoolTimeout, TooManyRequests)
_WHERE: Final = "SELECT pg_current_wal_insert_lsn()::text"
_REPLAYED: Final = "SELECT pg_last_wal_replay_lsn()::text"

type Ask = Callable[[], HttpResponseBase]

log = structlog.get_logger(__name__)
WRITTEN: Final = Written()


@dataclass(slots=True)
class _Reading:
    alias: str


_reading: ContextVar[_Reading | None] = ContextVar("reading", default=None)
_watches: list[Watch] = []


def watch_with(watch: Watch | None) -> None:
    """Reads go where this one says from now on; None: to the primary."""
    _watches[:] = [watch] if watch else []


def alias() -> str:
    """Of the database that safe reads of the request at hand go to."""
    reading = _reading.get()
    return reading.alias if reading else DEFAULT_DB_ALIAS


def only_if(settled: bool) -> None:
    """What is not settled yet goes on elsewhere: the rest of the request asks the primary."""
    reading = _reading.get()
    if reading and not settled:
        reading.alias = DEFAULT_DB_ALIAS


def answer(request: HttpRequest, person: int | None, ask: Ask) -> HttpResponseBase:
    """What `ask` answers; its safe reads go to a replica where that may be."""
    replica = _chosen(request, person)
    if replica is None:
        return ask()
    reading = _Reading(replica.label)
    try:
        with _within(reading), _answering(replica):
            response = ask()
    except Http404:
        pass  # perhaps it is only not there yet
    except (Error, *_FULL) as exc:
        _note(replica, exc)
    else:
        if response.status_code < 400:  # noqa: PLR2004 - below are no errors
            DB_READS.labels(_where(reading)).inc()
            _carry(response, reading, replica)
            return response
        response.close()
    DB_READS.labels("again").inc()
    return ask()


def note_write(person: int) -> int | None:
    """A request of the person may have written: replicas that lack it are not for them. Where the
    WAL stood; None: there are no replicas.
    """
    if not _watches:
        return None
    try:
        with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
            cursor.execute(_WHERE)
            lsn = lsn_of(cursor.fetchone()[0])
    except (Error, *_FULL):
        lsn = ALL
    WRITTEN.note(person, lsn)
    return lsn


def _chosen(request: HttpRequest, person: int | None) -> Watched | None:
    """Connected already, so that one that is gone costs no answer; None: the primary."""
    match = request.resolver_match
    if not _watches or match is None or match.view_name not in _SAFE or person is None:
        return None
    choose = CHOICES.get(web.decisions().value(REPLICA_ROUTING), off)
    if request.method not in {"GET", "HEAD"} or "HX-Request" in request.headers or choose is off:
        return None
    needed = max(WRITTEN.needs(person), written.carried(request))
    usable = [] if needed == ALL else _watches[0].usable()
    while chosen := choose(usable):
        usable.remove(chosen)
        if _connects(chosen) and _has(chosen, needed):
            return chosen
    DB_READS.labels("primary").inc()
    return None


def _connects(replica: Watched) -> bool:
    try:
        with patience.at_most(_PATIENCE_S):
            connections[replica.label].ensure_connection()
    except (Error, *_FULL) as exc:
        _note(replica, exc)
        return False
    return True


def _has(replica: Watched, needed: int) -> bool:
    if replica.replayed >= needed:
        return True
    try:
        with connections[replica.label].cursor() as cursor:
            cursor.execute(_REPLAYED)
            (replayed,) = cursor.fetchone()
    except (Error, *_FULL) as exc:
        _note(replica, exc)
        return False
    return replayed is not None and lsn_of(replayed) >= needed


def _note(replica: Watched, exc: BaseException) -> None:
    """That all its connections are taken, or that it was too slow once, is no illness of it."""
    log.warning("replica.read_failed", replica=replica.label, why=str(away.why(exc)))
    if isinstance(exc, InterfaceError) or away.why(exc) is Why.AWAY:
        for watch in _watches:
            watch.failed(replica)


def _where(reading: _Reading) -> str:
    return "primary" if reading.alias == DEFAULT_DB_ALIAS else "replica"


@contextmanager
def _answering(replica: Watched) -> Iterator[None]:
    """One that froze in the middle is cut off in time for the primary to be asked instead."""
    link = connections[replica.label].connection
    if link is None:
        yield
        return
    with cut_at(link, time.monotonic() + _ANSWER_S):
        yield


@contextmanager
def _within(reading: _Reading) -> Iterator[None]:
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


def _carry(response: HttpResponseBase, reading: _Reading, replica: Watched) -> None:
    """What a download reads later, in other threads, is read from the same replica."""
    if response.streaming and reading.alias != DEFAULT_DB_ALIAS:
        download: Any = response
        chunks: Iterator[bytes] = iter(download)
        download.streaming_content = iter(partial(_next, chunks, reading, replica), _END)


_END: Final = b""


def _next(chunks: Iterator[bytes], reading: _Reading, replica: Watched) -> bytes:
    try:
        with _within(reading), _answering(replica):
            return next((chunk for chunk in chunks if chunk), _END)
    except Error as exc:
        _note(replica, exc)
        raise
