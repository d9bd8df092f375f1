"""One look at Postgres: who is connected, what waits, who blocks whom, what takes the time."""

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import psycopg

from monitoring.collectors import postgres_queries as queries
from monitoring.collectors.normal import normal
from monitoring.collectors.outcome import words
from monitoring.collectors.postgres_samples import (
    Blocked,
    Checkpoints,
    Connections,
    Counts,
    Index,
    PostgresSample,
    Rates,
    Replica,
    Server,
    Session,
    Sizes,
    Slot,
    Statements,
    Table,
    Wait,
)
from monitoring.collectors.questions import Questions
from monitoring.collectors.statements import SlowStatements, Window

SOURCE: Final = "postgres"
_SIZES_EVERY_S: Final = 60.0
_SPLIT_CHECKPOINTS: Final = 170_000


class PostgresCollector:
    """Remembers what it read before, so that counters become rates. For one thread."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._statements = SlowStatements()
        self._counts: Window[Counts] = Window()
        self._sizes: Sizes | None = None
        self._sizes_at = float("-inf")

    def collect(self, on: Questions) -> PostgresSample:
        """Raises psycopg.Error where not even the first question is answered."""
        look = _Look(on)
        server = msgspec.convert(on.ask(queries.SERVER)[0], Server)
        blocked = look.part("blocked", self._blocked)
        pids = sorted({pid for one in blocked or () for pid in one.blockers if pid})
        counts = look.part("counts", _counts)
        return PostgresSample(
            server=server,
            connections=look.rows("connections", queries.CONNECTIONS, Connections),
            waits=look.rows("waits", queries.WAITS, Wait),
            blocked=blocked,
            sessions=look.part("sessions", lambda on: _sessions(on, pids)),
            counts=counts,
            rates=self._rates(counts),
            replicas=look.rows("replicas", queries.REPLICAS, Replica),
            slots=look.rows("slots", queries.SLOTS, Slot),
            checkpoints=look.part("checkpoints", _checkpoints),
            # Last: what costs most goes without where time runs out.
            statements=look.part("statements", self._slowest),
            sizes=look.part("sizes", self._measured) or self._sizes,
            failures=look.failures,
        )

    def _blocked(self, on: Questions) -> tuple[Blocked, ...]:
        return _converted(on.ask(queries.BLOCKED), Blocked)

    def _rates(self, counts: Counts | None) -> Rates | None:
        base = self._counts.base(self._clock(), counts) if counts else None
        if counts is None or base is None or base[0] <= 0 or counts.commits < base[1].commits:
            return None
        window_s, before = base
        hit = counts.blocks_hit - before.blocks_hit
        blocks = hit + counts.blocks_read - before.blocks_read
        return Rates(
            window_s=window_s,
            commits_per_s=(counts.commits - before.commits) / window_s,
            rollbacks_per_s=(counts.rollbacks - before.rollbacks) / window_s,
            hit_ratio=hit / blocks if blocks > 0 else None,
            deadlocks=counts.deadlocks - before.deadlocks,
        )

    def _slowest(self, on: Questions) -> Statements:
        rows = {row.pop("id"): row for row in on.ask(queries.STATEMENTS)}

        def texts_of(ids: list[str]) -> dict[str, str]:
            return {row["id"]: row["text"] for row in on.ask(queries.TEXTS, {"ids": ids})}

        return self._statements.read(self._clock(), rows, texts_of)

    def _measured(self, on: Questions) -> Sizes | None:
        now = self._clock()
        if now - self._sizes_at < _SIZES_EVERY_S:
            return self._sizes
        # Before it is asked: one that fails is not tried again at each look.
        self._sizes_at = now
        self._sizes = Sizes(
            **on.ask(queries.DATABASE_BYTES)[0],
            tables=_converted(on.ask(queries.TABLES), Table),
            indexes=_converted(on.ask(queries.INDEXES), Index),
        )
        return self._sizes


class _Look:
    """Parts of one look; each that fails leaves the others."""

    def __init__(self, on: Questions) -> None:
        self._on = on
        self.failures: dict[str, str] = {}

    def part[T](self, name: str, read: Callable[[Questions], T]) -> T | None:
        try:
            return read(self._on)
        except psycopg.Error as exc:
            self.failures[name] = words(exc)
            return None

    def rows[T](self, name: str, query: str, kind: type[T]) -> tuple[T, ...] | None:
        return self.part(name, lambda on: _converted(on.ask(query), kind))


def _counts(on: Questions) -> Counts:
    return msgspec.convert(on.ask(queries.COUNTS)[0], Counts)


def _sessions(on: Questions, pids: list[int]) -> tuple[Session, ...]:
    return _converted(on.ask(queries.SESSIONS, {"pids": pids}), Session)


def _checkpoints(on: Questions) -> Checkpoints:
    known = on.version >= _SPLIT_CHECKPOINTS
    query = queries.CHECKPOINTS if known else queries.CHECKPOINTS_BEFORE
    return msgspec.convert(on.ask(query)[0], Checkpoints)


def _converted[T](rows: list[dict[str, Any]], kind: type[T]) -> tuple[T, ...]:
    for row in rows:
        if "text" in row:
            row["text"] = normal(row["text"] or "")
    return msgspec.convert(rows, tuple[kind, ...])  # type: ignore[valid-type]
