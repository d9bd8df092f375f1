"""Runs that are dropped for good: at once for whoever looks, row by row for the tables."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, models, transaction
from django.db.models.functions import Now


class DroppedRun(models.Model):
    """A run that is gone, whose items lie in the tables until `sweep` has had its turns."""

    run_id = models.BigIntegerField(primary_key=True)
    dropped_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"V-{self.run_id}, dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Runs dropped together: how many, of how many items, the first and the last by number."""

    runs: int
    items: int
    first: int
    last: int


def count(before: datetime) -> int:
    """How many runs ended before that time."""
    return int(_one("SELECT count(*) FROM validation_run WHERE finished_at < %s", [before])[0])


def drop(before: datetime, *, most: int) -> Batch | None:
    """The oldest that ended before that time; None where there is none. In the caller's
    transaction. A run that somebody retries at this moment is left for the next time.
    """
    with connection.cursor() as cursor:
        cursor.execute(_DUE, [before, most])
        found: Sequence[tuple[int, int]] = cursor.fetchall()
        if not found:
            return None
        ids = [number for number, _ in found]
        for query in _DROP:
            cursor.execute(query, {"ids": ids})
    return Batch(
        runs=len(ids), items=sum(total for _, total in found), first=min(ids), last=max(ids)
    )


def sweep(*, most: int) -> int:
    """Removes rows of dropped runs, so many of each table at most; returns how many it removed.
    Zero: there is none left.
    """
    found = 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_NEXT)
        row = cursor.fetchone()
        if row is None:
            return 0
        for table in _TABLES:
            cursor.execute(_SWEEP.format(table=table), [row[0], most])
            found += cursor.rowcount
        if not found:
            cursor.execute("DELETE FROM validation_droppedrun WHERE run_id = %s", [row[0]])
            found = 1
    return found


def _one(query: str, values: list[datetime]) -> tuple[int, ...]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        found: tuple[int, ...] = cursor.fetchone()
    return found


_TABLES = (
    *("validation_result", "validation_item", "validation_evidence", "validation_anchor"),
    *("validation_retraction", "validation_catch"),
)
# Ended, so no worker holds a chunk; a retry holds its run by the key that it refers to.
_DUE = """
SELECT id, total FROM validation_run WHERE finished_at < %s AND state IN ('done', 'cancelled')
ORDER BY finished_at LIMIT %s FOR UPDATE SKIP LOCKED
"""
_DROP = (
    "INSERT INTO validation_droppedrun (run_id) SELECT unnest(%(ids)s::bigint[])",
    "DELETE FROM validation_chunk WHERE run_id = ANY(%(ids)s)",
    "UPDATE validation_run SET retry_of_id = NULL WHERE retry_of_id = ANY(%(ids)s)",
    "DELETE FROM validation_run WHERE id = ANY(%(ids)s)",
)
_NEXT = """
SELECT run_id FROM validation_droppedrun ORDER BY run_id LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_SWEEP = """
DELETE FROM {table} WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM {table} WHERE run_id = %s LIMIT %s))
"""
