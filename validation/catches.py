"""Nodes caught lying: written down, and cordoned, by the worker that caught them.

Plain SQL within the transaction that settles the chunk. A node is cordoned at once where another
node's answers passed what its failed, unless it is the last in service: then there is nobody else
to ask, and it is shown as caught.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from msgspec import UNSET

from validation.validators import Caught, Outcome, Verdict

log = structlog.get_logger(__name__)

KEPT_A_NODE = 1_000
_OF_ONE_CHUNK = 20
"""Catches of one node at one check that a chunk writes down: the next would say the same."""
_HELD_UP_MS = 3_000
_REASON_CHARS = 500
_DETAIL_CHARS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Catch:
    """`is_contradicted`: another node's answers passed. Where nobody's did, it may be our fault."""

    ordinal: int
    subject: str
    caught: Caught
    is_contradicted: bool


def of(outcomes: Sequence[Outcome], *, first: int) -> list[Catch]:
    """All of a chunk that begins with ordinal `first`; nearly always none."""
    return [
        Catch(
            ordinal=ordinal,
            subject=outcome.subject,
            caught=caught,
            is_contradicted=outcome.verdict in {Verdict.VALID, Verdict.UNVERIFIABLE},
        )
        for ordinal, outcome in enumerate(outcomes, first)
        if outcome.caught is not UNSET
        for caught in outcome.caught
    ]


def write(cursor: psycopg.Cursor[Any], catches: Sequence[Catch], *, run: int) -> None:
    """Adds rows, the first few of a kind, and drops the oldest of a node that has too many."""
    seen: Counter[tuple[str, str]] = Counter()
    rows: list[tuple[object, ...]] = []
    for catch in catches:
        caught = catch.caught
        seen[caught.node, caught.check] += 1
        if seen[caught.node, caught.check] <= _OF_ONE_CHUNK:
            detail = caught.detail.replace("\x00", "\ufffd")[:_DETAIL_CHARS]
            rows.append((caught.node, run, catch.ordinal, catch.subject, caught.check, detail))
    if rows:
        cursor.executemany(_ADD, rows)
    for node in sorted({str(row[0]) for row in rows}):
        cursor.execute(_DROP_OLDEST, {"label": node, "kept": KEPT_A_NODE})


def cordon(
    cursor: psycopg.Cursor[Any],
    catches: Sequence[Catch],
    *,
    run: int,
    worker: str,
    configured: Collection[str],
) -> list[str]:
    """Takes the nodes that were contradicted out of service; returns which. To be the last of its
    transaction. `configured`: the labels of NODE_URLS, which have no URL in the table.
    """
    accused = {catch.caught.node: catch for catch in reversed(catches) if catch.is_contradicted}
    if not accused:
        return []
    # Held until the commit by whoever changes what operators want: two workers that would cordon
    # the last two nodes go one after the other. Should this process be stopped here, the server
    # ends its transaction before operators wait for it.
    cursor.execute(_BOUND, (str(_HELD_UP_MS),))
    cursor.execute(_ONLY_ONE)
    cordoned = []
    for label in sorted(accused):
        params = {
            "label": label,
            "by": f"worker {worker}"[:160],
            "reason": _reason(accused[label], run),
            "configured": list(configured),
        }
        if cursor.execute(_CORDON, params).rowcount:
            cordoned.append(label)
            # What it said is forgotten with it.
            cursor.execute(_PURGE, params | {"tag": f"node:{label}"})
            cursor.execute(_RAISE, params)
    return cordoned


def _reason(catch: Catch, run: int) -> str:
    caught = catch.caught
    text = f"Caught at {caught.check} of {catch.subject} in V-{run}: {caught.detail}"
    return " ".join(text.replace("\x00", "\ufffd").split())[:_REASON_CHARS]


_ADD = """
INSERT INTO validation_catch (label, run_id, ordinal, subject, check_name, detail)
VALUES (%s, %s, %s, %s, %s, %s)
"""

_DROP_OLDEST = """
DELETE FROM validation_catch WHERE id IN (
    SELECT id FROM validation_catch WHERE label = %(label)s AND id <= (
        SELECT id FROM validation_catch WHERE label = %(label)s
        ORDER BY id DESC OFFSET %(kept)s LIMIT 1
    ) FOR UPDATE SKIP LOCKED
)
"""

_BOUND = "SELECT set_config('idle_in_transaction_session_timeout', %s, true)"

_ONLY_ONE = """
INSERT INTO validation_controlrevision (id, value) VALUES (1, 0)
ON CONFLICT (id) DO UPDATE SET value = validation_controlrevision.value
"""

_CORDON = """
UPDATE validation_node
SET cordoned_at = clock_timestamp(), cordoned_by = %(by)s, cordon_reason = %(reason)s
WHERE label = %(label)s AND cordoned_at IS NULL AND EXISTS (
    SELECT FROM validation_node other
    WHERE other.label <> %(label)s AND other.cordoned_at IS NULL
      AND (other.url <> '' OR other.label = ANY(%(configured)s))
)
"""

_NEXT = """
WITH next AS (
    UPDATE validation_controlrevision SET value = value + 1 WHERE id = 1 RETURNING value
)
INSERT INTO validation_control
    (kind, name, mode, settings, lasting, revision, reset_revision, reason, actor, changed_at)
"""

_PURGE = f"""
{_NEXT}
SELECT 'purge', %(tag)s, '', '{{}}', '{{}}', value, 0, %(reason)s, %(by)s, clock_timestamp()
FROM next
"""

_RAISE = f"""
{_NEXT}
SELECT 'nodes', '', '', '{{}}', '{{}}', value, 0, %(reason)s, %(by)s, clock_timestamp() FROM next
ON CONFLICT (kind, name) WHERE kind <> 'purge' DO UPDATE
SET revision = excluded.revision, reason = excluded.reason, actor = excluded.actor,
    changed_at = excluded.changed_at
"""
