"""What the fleet did in the last hour and what waits: read from closed and open chunks alone."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from validation.models import VERDICTS, Chunk, ChunkState

MINUTES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class LastHour:
    """Items by minute, oldest first, and by verdict. `last_minute` is the last whole 60 s."""

    by_minute: tuple[int, ...]
    by_verdict: tuple[tuple[str, int], ...]
    last_minute: int
    read_at: datetime

    @property
    def done(self) -> int:
        return sum(number for _, number in self.by_verdict)

    @property
    def not_valid(self) -> int:
        return sum(number for code, number in self.by_verdict if code != "valid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Chunks that nobody holds, chunks in work, and since when the oldest run with some waits."""

    ready: int
    ready_items: int
    leased: int
    waiting_since: datetime | None
    waiting_run: int | None
    read_at: datetime


def waits_s(queue: Queue) -> float | None:
    """Since when the oldest run with a ready chunk waits; None where nothing does."""
    if queue.waiting_since is None:
        return None
    return max(0.0, (queue.read_at - queue.waiting_since).total_seconds())


def last_hour() -> LastHour:
    with connection.cursor() as cursor:
        cursor.execute(_LAST_HOUR)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    minutes = [0] * MINUTES
    totals = dict.fromkeys(VERDICTS, 0)
    for minutes_ago, *counts in rows:
        minutes[MINUTES - 1 - minutes_ago] = sum(counts)
        for code, number in zip(VERDICTS, counts, strict=True):
            totals[code] += number
    return LastHour(
        by_minute=tuple(minutes),
        by_verdict=tuple(totals.items()),
        last_minute=minutes[-1],
        read_at=timezone.now(),
    )


def queue() -> Queue:
    with connection.cursor() as cursor:
        cursor.execute(_QUEUE)
        ready, ready_items, leased = cursor.fetchone() or (0, 0, 0)
    oldest = None
    if ready:
        waiting = Chunk.objects.filter(state=ChunkState.READY).order_by("run_id")
        oldest = waiting.values_list("run_id", "run__created_at").first()
    return Queue(
        ready=ready,
        ready_items=ready_items,
        leased=leased,
        waiting_run=oldest[0] if oldest else None,
        waiting_since=oldest[1] if oldest else None,
        read_at=timezone.now(),
    )


# Through runs, for they have an index by state and few rows: chunks have none by time.
_LAST_HOUR = """
SELECT least(floor(extract(epoch FROM statement_timestamp() - c.closed_at) / 60)::int, 59),
       sum(c.valid), sum(c.invalid), sum(c.not_found), sum(c.unverifiable), sum(c.error)
FROM validation_run r JOIN validation_chunk c ON c.run_id = r.id
WHERE (r.state = 'running' OR r.finished_at > statement_timestamp() - interval '1 hour')
  AND c.state = 'done' AND c.closed_at > statement_timestamp() - interval '1 hour'
  AND c.closed_at <= statement_timestamp()
GROUP BY 1
"""

_QUEUE = """
SELECT count(*) FILTER (WHERE state = 'ready'),
       coalesce(sum(size) FILTER (WHERE state = 'ready'), 0),
       count(*) FILTER (WHERE state = 'leased')
FROM validation_chunk WHERE state IN ('ready', 'leased')
"""
