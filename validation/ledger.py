"""A worker's side of the run tables: claim a chunk, keep its lease, close it with its results.

Leases run by the database's clock. Every write carries the fence of its claim: a worker that was
away too long finds its fence outdated and writes nothing.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt
from typing import Any

import psycopg

from validation import catches, evidence_rows, retractions, rows
from validation.models import VERDICTS
from validation.timeouts import SessionTimeouts
from validation.validators import Check, Outcome, Verdict

LEASE_S = 6.0
# A chunk whose worker died once is watched more closely, so that its neighbours wait less.
RETRY_LEASE_S = 3.0
HEARTBEAT_S = 1.0
# After a restart of the database, living workers get this long to renew what lapsed meanwhile.
RESTART_GRACE_S = 3.0
MAX_ATTEMPTS = 5
_EXPIRED_AT_ONCE = 50

type IsSettled = Callable[[int, str], bool]
"""Whether a block, by number and hash, is final and in the chain."""

type Connect = Callable[[], psycopg.Connection[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A chunk held by this worker until its lease runs out, and what is to be validated in it."""

    chunk: int
    run: int
    first: int
    fence: int
    attempts: int
    level: int | None
    agreement: int | None
    node_urls: tuple[str, ...]
    subjects: tuple[str, ...]
    total: int
    """Items of the whole run."""
    traceparent: str = ""
    """Of whoever began the run, where that is traced."""


class Ledger:
    """Holds one connection, made when it is first needed and again after it broke.

    Not for use by two threads at once: the caller serialises.
    """

    def __init__(
        self,
        connect: Connect,
        worker: str,
        *,
        timeouts: SessionTimeouts | None = None,
        restart_grace_s: float = RESTART_GRACE_S,
    ) -> None:
        self._connect = connect
        self._timeouts = timeouts
        self._restart_grace_s = restart_grace_s
        self._worker = worker
        self.configured: tuple[str, ...] = ()
        """The labels of NODE_URLS: nodes that the table names without a URL."""
        self.cordons = 0
        """Nodes taken out of service here: so often there is news for all that heed."""
        self._open: psycopg.Connection[Any] | None = None
        self._profiles: dict[str, int] = {}
        self._fields: dict[tuple[Check, ...], str] = {}

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def opened(self) -> psycopg.Connection[Any] | None:
        """The connection, where there is one: nothing is waited for."""
        found = self._open
        return None if found is None or found.closed else found

    @property
    def connection(self) -> psycopg.Connection[Any]:
        """The worker's one connection; whoever has the ledger's turn may use it too."""
        if self._open is None or self._open.closed or self._open.broken:
            self._open = self._connect()
            # It may be another server now, after a failover or a restore.
            self._profiles.clear()
            self._fields.clear()
        if self._timeouts is not None:
            self._timeouts.obey(self._open)
        return self._open

    def claim(self) -> Claim | None:
        """The next chunk: interactive runs first, then turn by turn between runs."""
        with self.connection.transaction():
            row = self.connection.execute(_CLAIM, (self._worker, RETRY_LEASE_S, LEASE_S)).fetchone()
            if row is None:
                return None
            chunk, run, first, size, fence, attempts = row
            level, agreement, node_urls, subjects, total, started, trace = self.connection.execute(
                _LOAD, {"run": run, "first": first, "end": first + size}
            ).fetchone() or (None, None, [], [], 0, True, "")
        if not started:
            # After the commit: cancelling locks the run first and its chunks then.
            self.connection.execute(_START, (run,))
        return Claim(
            chunk=chunk,
            run=run,
            first=first,
            fence=fence,
            attempts=attempts,
            level=level,
            agreement=agreement,
            node_urls=tuple(node_urls),
            subjects=tuple(subjects),
            total=total,
            traceparent=trace,
        )

    def renew(self, claim: Claim) -> bool:
        """False where the chunk is no longer ours: cancelled, or given to another worker."""
        lease_s = LEASE_S if claim.attempts == 1 else RETRY_LEASE_S
        return self._ours(_RENEW, (lease_s, claim.chunk, claim.fence))

    def release(self, claim: Claim) -> bool:
        """Gives an untouched chunk back at once; the attempt does not count."""
        return self._ours(_RELEASE, (claim.chunk, claim.fence))

    def postpone(self, claim: Claim) -> bool:
        """Gives a chunk back behind all others: nobody can be asked about it now."""
        return self._ours(_POSTPONE, (claim.chunk, claim.fence))

    def settle(
        self, claim: Claim, outcomes: Sequence[Outcome], is_settled: IsSettled | None = None
    ) -> bool:
        """Writes one result an item and closes the chunk, in one transaction; with them evidence,
        and what nodes were caught at.

        Verdicts in blocks that are not settled (None: not known, so all) are anchored: they can
        be retracted. False, and nothing written, where the chunk is no longer ours.
        """
        if len(outcomes) != len(claim.subjects):
            raise ValueError(f"{len(outcomes)} outcomes for {len(claim.subjects)} items")
        counts = Counter(outcome.verdict.value for outcome in outcomes)
        closing = (*(counts[v] for v in VERDICTS), claim.chunk, claim.fence)
        connection = self.connection
        lines = rows.result_lines(outcomes, run=claim.run, first=claim.first, checks=self._checks)
        anchors = _anchor_lines(claim, outcomes, is_settled)
        kept = evidence_rows.of(outcomes, first=claim.first)
        caught = catches.of(outcomes, first=claim.first)
        with connection.transaction(), connection.cursor() as cursor:
            is_ours = cursor.execute(_CLOSE, closing).rowcount == 1
            if is_ours:
                with cursor.copy(rows.COPY_RESULTS) as copy:
                    copy.write(lines)
                if anchors:
                    with cursor.copy(rows.COPY_ANCHORS) as copy:
                        copy.write(anchors)
                if kept:
                    evidence_rows.write(cursor, kept, run=claim.run)
                if caught:
                    self._accuse(cursor, claim, caught)
        # The results are written, whatever becomes of the rest: sweeps do it otherwise.
        with contextlib.suppress(psycopg.OperationalError, psycopg.InterfaceError):
            # Also where it was closed before: perhaps by us, and only the answer was lost.
            connection.execute(_FINISH, (claim.run,))
            if is_ours and anchors:
                # After the commit: whoever records an orphan later than this finds our anchors,
                # and what was recorded before is seen here.
                retractions.retract(connection, run=claim.run)
        return is_ours

    def expire(self) -> int:
        """Takes back chunks whose lease ran out; returns how many can be claimed again.

        A chunk of many is split, so that an item that kills its worker is soon alone; alone it is
        quarantined after MAX_ATTEMPTS as `error`, reason `poison`. Runs whose last worker died
        between its commit and the run's end are ended here.
        """
        connection = self.connection
        no_checks = self._profile(())
        with connection.transaction():
            bounds = (self._restart_grace_s, _EXPIRED_AT_ONCE)
            dead = connection.execute(_EXPIRED, bounds).fetchall()
            for chunk, run, first, size, attempts in dead:
                if size > 1:
                    step = isqrt(size)
                    connection.execute(_SPLIT, {"id": chunk, "step": step})
                elif attempts < MAX_ATTEMPTS:
                    connection.execute(_READY_AGAIN, (chunk,))
                else:
                    poison = {"id": chunk, "run": run, "ordinal": first, "profile": no_checks}
                    connection.execute(_QUARANTINE, poison)
        connection.execute(_CANCEL_LEFT)
        connection.execute(_FINISH_ALL)
        return len(dead)

    def _accuse(
        self, cursor: psycopg.Cursor[Any], claim: Claim, caught: Sequence[catches.Catch]
    ) -> None:
        """A run that names nodes of its own accuses none of the deployment's: what it calls by the
        same label may be asked with other credentials, and there is no end of labels.
        """
        if not claim.node_urls:
            catches.write(cursor, caught, run=claim.run)
            self.cordons += len(
                catches.cordon(
                    cursor, caught, run=claim.run, worker=self._worker, configured=self.configured
                )
            )

    def _checks(self, checks: tuple[Check, ...]) -> str:
        """The fields `profile_id` and `details`. Most items of a run share theirs."""
        fields = self._fields.get(checks)
        if fields is None:
            if len(self._fields) >= _FIELDS_KEPT:
                self._fields.clear()
            fields = f"{self._profile(checks)}\t{rows.details_field(checks)}"
            self._fields[checks] = fields
        return fields

    def _profile(self, checks: tuple[Check, ...]) -> int:
        """Committed before the results that name it: workers never wait for each other, and no
        cached id can be rolled back. Never called within a transaction.
        """
        text = " ".join([f"{check.name}:{check.status}" for check in checks])
        if text not in self._profiles:
            self.connection.execute(_ADD_PROFILE, (text,))
            row = self.connection.execute(_FIND_PROFILE, (text,)).fetchone()
            assert row is not None  # noqa: S101 - profiles are never deleted
            self._profiles[text] = row[0]
        return self._profiles[text]

    def _ours(self, statement: str, params: Sequence[object]) -> bool:
        return self.connection.execute(statement, params).rowcount == 1


_CLAIM = """
UPDATE validation_chunk c
SET state = 'leased', fence = fence + 1, attempts = attempts + 1, worker = %s,
    lease_until = now() + make_interval(secs => CASE WHEN attempts > 0 THEN %s ELSE %s END)
FROM (
    SELECT c.id FROM validation_chunk c JOIN validation_run r ON r.id = c.run_id
    WHERE c.state = 'ready' AND r.state = 'running'
    ORDER BY c.priority, c.turn, c.id LIMIT 1 FOR UPDATE OF c SKIP LOCKED
) next
WHERE c.id = next.id
RETURNING c.id, c.run_id, c.first, c.size, c.fence, c.attempts
"""

_LOAD = """
SELECT level, agreement, array(SELECT jsonb_array_elements_text(node_urls)), array(
    SELECT subject FROM validation_item
    WHERE run_id = %(run)s AND ordinal >= %(first)s AND ordinal < %(end)s ORDER BY ordinal
), total, started_at IS NOT NULL, traceparent FROM validation_run WHERE id = %(run)s
"""

_START = "UPDATE validation_run SET started_at = now() WHERE id = %s AND started_at IS NULL"

# The turn that is on: what comes back waits neither behind its own run nor behind a newer one.
_TURN_NOW = """
coalesce((SELECT min(turn) FROM validation_chunk n
          WHERE n.state = 'ready' AND n.priority = c.priority), 0)
"""

_RENEW = """
UPDATE validation_chunk SET lease_until = now() + make_interval(secs => %s)
WHERE id = %s AND fence = %s AND state = 'leased'
"""

_RELEASE = f"""
UPDATE validation_chunk c
SET state = 'ready', attempts = attempts - 1, lease_until = NULL, turn = {_TURN_NOW}
WHERE id = %s AND fence = %s AND state = 'leased'
"""

_POSTPONE = """
UPDATE validation_chunk c
SET state = 'ready', attempts = attempts - 1, lease_until = NULL, turn = greatest(turn, coalesce(
    (SELECT max(turn) FROM validation_chunk n WHERE n.state = 'ready' AND n.priority = c.priority),
    turn
)) + 1
WHERE id = %s AND fence = %s AND state = 'leased'
"""

_CLOSE = """
UPDATE validation_chunk
SET state = 'done', closed_at = now(), lease_until = NULL,
    valid = %s, invalid = %s, not_found = %s, unverifiable = %s, error = %s
WHERE id = %s AND fence = %s AND state = 'leased'
"""

# After the commit, not in it: of two last chunks closing together, the later sees both closed.
_FINISH = """
UPDATE validation_run r SET state = 'done', finished_at = now()
WHERE id = %s AND state = 'running' AND NOT EXISTS (
    SELECT FROM validation_chunk WHERE run_id = r.id AND state IN ('ready', 'leased')
)
"""

_FINISH_ALL = """
UPDATE validation_run r SET state = 'done', finished_at = now()
WHERE state = 'running' AND NOT EXISTS (
    SELECT FROM validation_chunk WHERE run_id = r.id AND state IN ('ready', 'leased')
)
"""

# A chunk that was split while its run was being cancelled.
_CANCEL_LEFT = """
UPDATE validation_chunk c SET state = 'cancelled', lease_until = NULL
FROM validation_run r
WHERE r.id = c.run_id AND r.state = 'cancelled' AND c.state IN ('ready', 'leased')
"""

_EXPIRED = """
SELECT id, run_id, first, size, attempts FROM validation_chunk
WHERE state = 'leased' AND lease_until < now()
  AND now() - pg_postmaster_start_time() > make_interval(secs => %s)
ORDER BY lease_until LIMIT %s FOR UPDATE SKIP LOCKED
"""

_READY_AGAIN = f"""
UPDATE validation_chunk c SET state = 'ready', lease_until = NULL, turn = {_TURN_NOW} WHERE id = %s
"""

_SPLIT = f"""
WITH old AS (
    UPDATE validation_chunk c SET state = 'split', lease_until = NULL, turn = {_TURN_NOW}
    WHERE id = %(id)s RETURNING *
)
INSERT INTO validation_chunk (run_id, first, size, state, priority, turn, fence, attempts, worker,
                              valid, invalid, not_found, unverifiable, error)
SELECT run_id, part, least(%(step)s, first + size - part), 'ready', priority, turn, fence,
       attempts, '', 0, 0, 0, 0, 0
FROM old, generate_series(first, first + size - 1, %(step)s) AS part
"""

_QUARANTINE = """
WITH closed AS (
    UPDATE validation_chunk
    SET state = 'done', closed_at = now(), lease_until = NULL, error = 1 WHERE id = %(id)s
)
INSERT INTO validation_result
    (run_id, ordinal, subject, verdict, level, reason, node, ms, profile_id)
SELECT run_id, ordinal, subject, 'error', 0, 'poison', '', 0, %(profile)s
FROM validation_item WHERE run_id = %(run)s AND ordinal = %(ordinal)s
"""

_ADD_PROFILE = "INSERT INTO validation_checkprofile (text) VALUES (%s) ON CONFLICT DO NOTHING"
_FIND_PROFILE = "SELECT id FROM validation_checkprofile WHERE text = %s"
_FIELDS_KEPT = 4_096

# What a node contradicted itself in stays so, wherever its block is; an error names no block.
_ANCHORED = {Verdict.VALID, Verdict.UNVERIFIABLE}


def _anchor_lines(claim: Claim, outcomes: Sequence[Outcome], is_settled: IsSettled | None) -> bytes:
    """None where the run named nodes of its own: nobody follows the chain of those."""
    if claim.node_urls:
        return b""
    return "".join(
        [
            f"{claim.run}\t{ordinal}\t{o.block.number}\t{o.block.hash}\n"
            for ordinal, o in enumerate(outcomes, claim.first)
            if o.block is not None
            and o.verdict in _ANCHORED
            and not (is_settled is not None and is_settled(o.block.number, o.block.hash))
        ]
    ).encode()
