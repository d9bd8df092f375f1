"""Keeps the web process's flags as Postgres has them: nudged by events, healed by looking.

A thread with a connection of its own: no request ever waits for flags.
"""

import asyncio
import os
import secrets
import socket
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Final

import psycopg
import redis
import structlog
from django.db import connection, connections
from django.db.utils import InterfaceError, OperationalError, ProgrammingError
from openfeature.exception import OpenFeatureError

from console.flags import process
from console.flags.process import ProcessFlags
from console.flags.provider import FlagProvider
from monitoring import events
from validation.said import Said
from validation.slots import Slots, Standing

EVERY_S: Final = 0.5
_LISTEN_AGAIN_S: Final = 1.0
_TOPICS: Final = frozenset({"flags", "controls"})
_AWAY: Final = (OperationalError, InterfaceError, ProgrammingError)

log = structlog.get_logger(__name__)

type Connect = Callable[[], psycopg.Connection[Any]]


class Follower:
    """`decide` is told where this process stands among those of its fleet, at each look."""

    def __init__(
        self,
        decide: Callable[[Standing | None], object],
        *,
        path: Path | None = None,
        connect: Connect | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self.flags = ProcessFlags(path or process.path())
        self._decide = decide
        self._connect = connect or _connect
        self._every_s = every_s
        self._slots = Slots("web", _holder())
        self._link: psycopg.Connection[Any] | None = None
        self._is_away = False
        self._said = Said()
        self._nudged = threading.Event()
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._look_on, name="flags", daemon=True),
            threading.Thread(target=self._listen, name="flags-events", daemon=True),
        ]

    @property
    def provider(self) -> FlagProvider:
        return self.flags.provider

    def start(self) -> None:
        """With what held last, at once; Postgres is asked by the thread."""
        self.flags.start()
        self._decide(None)
        _followers.append(self)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Gives back what it holds in Postgres; where that does not answer, its lease ends."""
        self._stopping.set()
        self._nudged.set()
        looking = self._threads[0]
        if looking.is_alive():
            looking.join(timeout=2)
        if not looking.is_alive():
            self._leave()
        self.flags.stop()
        if self in _followers:
            _followers.remove(self)

    def look(self) -> None:
        """Reads what is new and decides. Never raises for a server that is away."""
        try:
            if self._link is None:
                self._link = self._connect()
            self.flags.refresh(self._link)
            self._slots.beat(self._link)
        except psycopg.Error as exc:
            self._lose(exc)
        else:
            self._is_away = False
        self._decide(self._slots.standing)

    def _look_on(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except Exception:
                # The next look may fare better; it is said the first time, not twice a second.
                if not self._is_away:
                    log.exception("flags.not_followed")
                self._is_away = True
            self._nudged.wait(self._every_s)
            self._nudged.clear()

    def _lose(self, exc: psycopg.Error) -> None:
        if not self._is_away:  # the first time, not twice a second
            log.warning("flags.database_away", error=type(exc).__name__, holds=self.flags.revision)
        self._is_away = True
        if self._link is not None:
            self._link.close()
        self._link = None

    def _leave(self) -> None:
        if self._link is None:
            return
        try:
            self._slots.release(self._link)
        except psycopg.Error as exc:
            log.info("flags.slot_not_released", error=type(exc).__name__)
        self._link.close()
        self._link = None

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                for topics in events.follow(self._stopping.is_set):
                    if topics & _TOPICS:
                        self._nudged.set()
            except redis.RedisError:
                pass  # without events, looking alone tells: within half a second
            except Exception as error:
                # Nor must a defect end this thread unheard; it is said the first time.
                if self._said.is_news("events", error):
                    log.exception("flags.not_listened")
            self._stopping.wait(_LISTEN_AGAIN_S)


_followers: list[Follower] = []


def current() -> FlagProvider:
    """The web process's; in a command or a test, which follow nothing, Postgres is read at once."""
    if _followers:
        return _followers[-1].provider
    provider = _unfollowed()
    if not _in_event_loop():
        try:
            connection.ensure_connection()
            provider.refresh(connection.connection)
        except (*_AWAY, psycopg.Error, OpenFeatureError) as exc:
            log.warning("flags.not_read", error=type(exc).__name__)
    return provider


@cache
def _unfollowed() -> FlagProvider:
    return FlagProvider()


def _in_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _connect() -> psycopg.Connection[Any]:
    """Outside Django's pool, which is for requests."""
    params = connections["default"].get_connection_params()
    return psycopg.connect(**params, autocommit=True, application_name="switchyard web flags")


def _holder() -> str:
    return f"{socket.gethostname()[:60]}:{os.getpid()}:{secrets.token_hex(4)}"
