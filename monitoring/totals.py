"""What the whole fleet has counted since ever: of each process the newest word, wherever it is.

Valkey is read before Postgres: a process leaves the one only after the other has it. What was known
once is remembered, so that a server that is away takes nothing back: to Prometheus a counter that
falls is one that began again, and all of it would be counted twice.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import redis
import structlog

from monitoring import incarnations, processes
from monitoring.incarnations import AWAY, Stored
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample, total

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """`counters` None: not known yet. `live` and `lost` None: nobody can be asked now.

    `lost`: processes by kind that ended without a last word, and with it at most a second.
    """

    counters: tuple[Sample, ...] | None
    live: tuple[ProcessSnapshot, ...] | None
    lost: dict[str, int] | None
    sources: dict[str, bool]


@dataclass(frozen=True, slots=True)
class _Word:
    sequence: int
    counters: tuple[Sample, ...]


class Totals:
    """One reader's memory of the fleet. Any thread may call `read`; they take turns."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[str, _Word] = {}
        self._read_at: float | None = None
        self._answered: set[str] = set()

    def read(self) -> Reading:
        with self._lock:
            told = self._ask_valkey()
            rows = self._ask_postgres(told or [])
            sources = {"valkey": told is not None, "postgres": rows is not None}
            self._answered.update(name for name, up in sources.items() if up)
            whole = self._answered == set(sources)
            return Reading(
                counters=total(word.counters for word in self._known.values()) if whole else None,
                live=None if told is None else tuple(s for s in told if s.live),
                lost=None if rows is None else incarnations.lost_of(rows),
                sources=sources,
            )

    def _ask_valkey(self) -> list[ProcessSnapshot] | None:
        try:
            told = processes.told()
        except redis.RedisError:
            return None
        for snapshot in told:
            self._hear(snapshot.incarnation, snapshot.sequence, snapshot.counters)
        return told

    def _ask_postgres(self, told: list[ProcessSnapshot]) -> list[Stored] | None:
        now = self._clock()
        if self._read_at is not None and now - self._read_at > incarnations.TOMBSTONE_S / 2:
            # Those added up meanwhile may have left no trace by which to know them.
            self._known = {}
            for snapshot in told:
                self._hear(snapshot.incarnation, snapshot.sequence, snapshot.counters)
        try:
            rows = incarnations.stored(self._known)
        except AWAY as exc:
            log.warning("counters.unread", error=type(exc).__name__)
            return None
        self._read_at = now
        for row in rows:
            if row.compacted:
                self._known.pop(row.id, None)
            else:
                self._hear(row.id, row.sequence, row.counters)
        return rows

    def _hear(self, name: str, sequence: int, counters: tuple[Sample, ...]) -> None:
        known = self._known.get(name)
        if known is None or sequence > known.sequence:
            self._known[name] = _Word(sequence, counters)
