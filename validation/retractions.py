"""Takes back verdicts whose block was reorganised away: a worker's side of it, in plain SQL.

Every statement stands alone and commits by itself, so a process that is stopped or killed between
any two leaves nothing locked and nothing half done, and repeating one is harmless. What a killed
process had seen is found again: the blocks that verdicts rest on are looked up in the chain.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Protocol

import psycopg
import structlog

from validation.validators import BlockRef

_log = structlog.get_logger(__name__)

# Verdicts a statement takes back or lets go, and how long a sweep may go on with them: the
# worker's lease on its chunk is renewed in between.
_AT_ONCE = 2_000
_BUDGET_S = 0.5
_WATCHED = 512
# Any number that nothing else locks.
_LOCK = 0x5EED_0E06

type Connection = psycopg.Connection[Any]


class Chain(Protocol):
    """What a sweep needs to know of the chain; `validation.heads.ChainView` is one."""

    @property
    def orphans(self) -> Mapping[str, BlockRef]: ...
    def final_number(self) -> int | None: ...
    def watch(self, blocks: Collection[BlockRef]) -> None: ...
    def standings(self) -> Mapping[BlockRef, bool] | None: ...


class Sweeper:
    """Brings what is in the tables in line with what one process sees of the chain.

    For one thread; many processes sweep the same tables at once.
    """

    def __init__(self, chain: Chain, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._chain = chain
        self._clock = clock
        self._recorded: frozenset[str] = frozenset()
        self._anchored: tuple[BlockRef, ...] = ()
        self._orphaned: tuple[BlockRef, ...] = ()
        self._after = ""

    def sweep(self, connection: Connection) -> list[int]:
        """Records, retracts and forgets; returns the runs whose verdicts changed."""
        orphans = self._chain.orphans
        new = [block for block in orphans.values() if block.hash not in self._recorded]
        if new:
            record(connection, new)
        self._recorded = frozenset(orphans)
        standings = self._chain.standings()
        if standings is not None:
            self._act_on(connection, standings)
        return self._repeatedly(lambda: retract(connection))

    def _act_on(self, connection: Connection, standings: Mapping[BlockRef, bool]) -> None:
        """On answers about the blocks of the last sweep; then asks about those of this one."""
        if lost := [block for block in self._anchored if standings.get(block) is False]:
            record(connection, lost)
        # Only rows that were there when it was asked: a younger one knows better than the answer.
        if returned := [block for block in self._orphaned if standings.get(block)]:
            take_back(connection, returned)
        final = self._chain.final_number()
        if final is not None:
            stand = [b for b in self._anchored if b.number <= final and standings.get(b)]
            if stand:
                self._repeatedly(lambda: forget_final(connection, stand))
        self._anchored = tuple(anchored(connection, after=self._after))
        self._after = self._anchored[-1].hash if len(self._anchored) == _WATCHED else ""
        self._orphaned = tuple(orphaned(connection))
        self._chain.watch(dict.fromkeys((*self._anchored, *self._orphaned)))

    def _repeatedly(self, act: Callable[[], "list[int]"]) -> list[int]:
        """Until there is no more, or the time is up: the next sweep goes on."""
        until = self._clock() + _BUDGET_S
        touched: list[int] = []
        while runs := act():
            touched += runs
            if self._clock() >= until:
                break
        return list(dict.fromkeys(touched))


def record(connection: Connection, orphans: Sequence[BlockRef]) -> None:
    """Writes down blocks that are in the chain no more. In order: two of these cannot deadlock."""
    rows = sorted({(block.hash, block.number) for block in orphans})
    connection.execute(_RECORD, ([row[0] for row in rows], [row[1] for row in rows]))


def take_back(connection: Connection, returned: Sequence[BlockRef]) -> None:
    """Blocks that are in the chain again: verdicts given in them from now on stand."""
    connection.execute(_TAKE_BACK, ([block.hash for block in returned],))


def retract(connection: Connection, *, run: int | None = None) -> list[int]:
    """Takes back some of the verdicts, of one run or all, that rest on an orphan.

    Returns the runs of them, empty where there is nothing more to do, or another does it.
    """
    rows = connection.execute(_RETRACT, {"run": run, "limit": _AT_ONCE, "lock": _LOCK}).fetchall()
    if rows:
        counted = {str(row[0]): row[1] for row in rows}
        _log.warning("verdicts.retracted", verdicts=sum(counted.values()), runs=counted)
    return [row[0] for row in rows]


def forget_final(connection: Connection, blocks: Sequence[BlockRef]) -> list[int]:
    """Lets some verdicts in `blocks`, which are final and in the chain, stand for good.

    Returns the runs of them; empty where there is nothing more to do.
    """
    params = {"hashes": [block.hash for block in blocks], "limit": _AT_ONCE}
    return [row[0] for row in connection.execute(_FORGET, params)]


def anchored(connection: Connection, *, after: str = "") -> list[BlockRef]:
    """Blocks that verdicts rest on, in the order of their hashes: the first few after one."""
    rows = connection.execute(_ANCHORED, {"after": after, "limit": _WATCHED})
    return [BlockRef(number=number, hash=block_hash) for block_hash, number in rows]


def orphaned(connection: Connection) -> list[BlockRef]:
    """The orphans that were recorded last."""
    rows = connection.execute(_ORPHANED, (_WATCHED,))
    return [BlockRef(number=number, hash=block_hash) for block_hash, number in rows]


_RECORD = """
INSERT INTO validation_orphan (block_hash, block_number)
SELECT * FROM unnest(%s::text[], %s::bigint[]) ON CONFLICT DO NOTHING
"""

_TAKE_BACK = """
DELETE FROM validation_orphan WHERE block_hash IN (
    SELECT block_hash FROM validation_orphan WHERE block_hash = ANY(%s) FOR UPDATE SKIP LOCKED
)
"""

_ORPHANED = """
SELECT block_hash, block_number FROM validation_orphan ORDER BY seen_at DESC LIMIT %s
"""

# One probe of the index a block, however many verdicts rest on it.
_ANCHORED = """
WITH RECURSIVE found AS (
    (SELECT block_hash, block_number FROM validation_anchor
     WHERE block_hash > %(after)s ORDER BY block_hash LIMIT 1)
    UNION ALL
    SELECT next.block_hash, next.block_number FROM found, LATERAL (
        SELECT block_hash, block_number FROM validation_anchor
        WHERE block_hash > found.block_hash ORDER BY block_hash LIMIT 1
    ) next
)
SELECT block_hash, block_number FROM found LIMIT %(limit)s
"""

# One statement, so that no client can hold its locks. One at a time, so that none waits for
# another with chunks in its hands. What a chunk counts moves with its verdicts; of chunks that are
# done, the last that begins at or before an item holds it: a sort finds it, where joining by range
# would compare each item with every chunk. An anchor without a result is what is left of a run
# that was deleted.
_RETRACT = """
WITH turn AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(%(lock)s) AS mine),
gone AS MATERIALIZED (
    SELECT a.run_id, a.ordinal, a.block_number, a.block_hash
    FROM validation_orphan o JOIN validation_anchor a USING (block_hash)
    WHERE (SELECT mine FROM turn) AND (%(run)s::bigint IS NULL OR a.run_id = %(run)s)
    LIMIT %(limit)s FOR UPDATE OF a SKIP LOCKED
),
dropped AS (
    DELETE FROM validation_anchor a USING gone g
    WHERE a.run_id = g.run_id AND a.ordinal = g.ordinal
),
was AS MATERIALIZED (
    SELECT g.*, r.verdict, r.level, r.reason
    FROM gone g JOIN validation_result r USING (run_id, ordinal)
),
kept AS (
    INSERT INTO validation_retraction
        (run_id, ordinal, verdict, level, reason, block_number, block_hash)
    SELECT run_id, ordinal, verdict, level, reason, block_number, block_hash FROM was
    ON CONFLICT DO NOTHING
),
changed AS (
    UPDATE validation_result r SET verdict = 'unverifiable', level = 0, reason = 'reorganised'
    FROM was w WHERE r.run_id = w.run_id AND r.ordinal = w.ordinal
),
placed AS (
    SELECT run_id, verdict, max(first) OVER (
        PARTITION BY run_id ORDER BY place, verdict NULLS FIRST
        ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS first
    FROM (
        SELECT run_id, ordinal AS place, verdict, NULL AS first FROM was
        UNION ALL
        SELECT run_id, first, NULL, first FROM validation_chunk
        WHERE state = 'done' AND run_id IN (SELECT run_id FROM was)
    ) places
),
moved AS (
    SELECT run_id, first, count(*) AS total,
           count(*) FILTER (WHERE verdict = 'valid') AS valid,
           count(*) FILTER (WHERE verdict = 'invalid') AS invalid,
           count(*) FILTER (WHERE verdict = 'not_found') AS not_found,
           count(*) FILTER (WHERE verdict = 'unverifiable') AS unverifiable,
           count(*) FILTER (WHERE verdict = 'error') AS error
    FROM placed WHERE verdict IS NOT NULL GROUP BY run_id, first
),
counted AS (
    UPDATE validation_chunk c
    SET valid = c.valid - m.valid, invalid = c.invalid - m.invalid, error = c.error - m.error,
        not_found = c.not_found - m.not_found,
        unverifiable = c.unverifiable - m.unverifiable + m.total
    FROM moved m WHERE c.run_id = m.run_id AND c.first = m.first AND c.state = 'done'
)
SELECT run_id, count(*) FROM gone GROUP BY run_id
"""

_FORGET = """
WITH dropped AS (
    DELETE FROM validation_anchor WHERE (run_id, ordinal) IN (
        SELECT run_id, ordinal FROM validation_anchor a
        WHERE block_hash = ANY(%(hashes)s)
          AND NOT EXISTS (SELECT FROM validation_orphan o WHERE o.block_hash = a.block_hash)
        LIMIT %(limit)s FOR UPDATE SKIP LOCKED
    ) RETURNING run_id
)
SELECT DISTINCT run_id FROM dropped
"""
