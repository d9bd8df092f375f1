"""Keeps what processes counted in Postgres, so that neither their end nor Valkey's loses it.

One row a process, replaced only by a snapshot with a higher sequence. Any number of callers may
fold, end and compact at once: what arrives late or twice changes nothing.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, connection, transaction

from monitoring import processes
from monitoring.processes import ProcessSnapshot
from monitoring.samples import Sample, total

# Postgres is away, not set, or not migrated yet.
AWAY = (Error, ImproperlyConfigured)
SUM: Final = "sum"
LOST: Final = "switchyard_incarnations_lost"
# A process silent for an hour goes on under a new name (`publisher`): after two, nobody comes back.
_COMPACT_ENDED_S = 600
_COMPACT_LOST_S = 7_200
# Longer than a snapshot may wait on the cache server, and twice what a reader remembers.
TOMBSTONE_S = 2 * processes.LIFE_S
_AT_ONCE = 1_000
# Silent for so long, its snapshot is only kept by Postgres.
_FORGOTTEN_S = 600

_UPSERT = """
    INSERT INTO monitoring_incarnation AS known
        (id, kind, sequence, counters, ended, silent_since, compacted, folded_at)
    VALUES (%s, %s, %s, %s::jsonb, %s, NULL, FALSE, clock_timestamp())
    ON CONFLICT (id) DO UPDATE SET
        sequence = excluded.sequence, counters = excluded.counters, ended = excluded.ended,
        silent_since = NULL, folded_at = excluded.folded_at
    WHERE excluded.sequence > known.sequence AND NOT known.compacted AND NOT known.ended
"""
_MARK_SILENT = """
    UPDATE monitoring_incarnation SET silent_since = clock_timestamp()
    WHERE NOT ended AND NOT compacted AND silent_since IS NULL AND id <> ALL (%s)
      AND folded_at < clock_timestamp() - make_interval(secs => %s)
"""
_OLD = """
    SELECT id, kind, ended, counters::text FROM monitoring_incarnation
    WHERE NOT compacted AND id <> %s
      AND (ended AND folded_at < clock_timestamp() - make_interval(secs => %s)
           OR silent_since < clock_timestamp() - make_interval(secs => %s))
    ORDER BY id LIMIT %s
"""
_STORED = """
    SELECT id, kind, sequence, silent_since IS NOT NULL, compacted, counters::text
    FROM monitoring_incarnation WHERE NOT compacted OR id = ANY (%s)
"""
_UNSAID = """
    SELECT id, kind, sequence, silent_since IS NOT NULL, compacted,
           CASE WHEN id = %s THEN counters::text ELSE '[]' END
    FROM monitoring_incarnation WHERE NOT compacted AND (silent_since IS NOT NULL OR id = %s)
"""
_COUNTERS = msgspec.json.Decoder(tuple[Sample, ...])


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """A row. `compacted`: its counters are in the row `SUM`."""

    id: str
    kind: str
    sequence: int
    silent: bool
    compacted: bool
    counters: tuple[Sample, ...]


def sweep() -> None:
    """Folds what every process last told, marks the silent, adds up the old.

    Raises redis.RedisError or one of AWAY; half done, it is as good as not begun.
    """
    told = processes.told()
    fold(told)
    mark_silent(told)
    compact()
    done = (s for s in told if s.final or s.age_s > _FORGOTTEN_S)
    processes.forget(s.incarnation for s in done)


def fold(snapshots: Iterable[ProcessSnapshot]) -> None:
    # In one order everywhere: two who fold at once would else wait for each other.
    rows = [
        (s.incarnation, s.kind, s.sequence, msgspec.json.encode(s.counters).decode(), s.final)
        for s in sorted(snapshots, key=lambda s: s.incarnation)
    ]
    if rows:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.executemany(_UPSERT, rows)


def mark_silent(told: Sequence[ProcessSnapshot]) -> None:
    """Those of whom `told`, read just now, has no recent word. They may yet come back."""
    heard = [s.incarnation for s in told if not s.lost]
    with connection.cursor() as cursor:
        cursor.execute(_MARK_SILENT, [heard, processes.SILENT_S])


def compact() -> int:
    """Adds the rows of those who surely ended to one row; how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        old: list[str | int] = [SUM, _COMPACT_ENDED_S, _COMPACT_LOST_S, _AT_ONCE]
        cursor.execute(_OLD, old)
        if not cursor.fetchall():
            return 0
        # Whoever holds the sum's row compacts; who waited for it looks again at what is left.
        cursor.execute(
            "INSERT INTO monitoring_incarnation (id, kind, sequence, counters, ended, compacted)"
            " VALUES (%s, '', 0, '[]', TRUE, FALSE) ON CONFLICT DO NOTHING",
            [SUM],
        )
        cursor.execute(
            "SELECT counters::text FROM monitoring_incarnation WHERE id = %s FOR UPDATE", [SUM]
        )
        [(known,)] = cursor.fetchall()
        cursor.execute(f"{_OLD} FOR UPDATE", old)
        rows = cursor.fetchall()
        lost = Counter(kind for _, kind, ended, _ in rows if not ended)
        unsaid = [Sample(LOST, {"process": kind}, count) for kind, count in lost.items()]
        parts = [_COUNTERS.decode(text) for text in (known, *(row[3] for row in rows))]
        _write_sum(total([*parts, unsaid]), [row[0] for row in rows])
    return len(rows)


def _write_sum(counters: tuple[Sample, ...], added: list[str]) -> None:
    """Caller holds the sum's row in a transaction."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE monitoring_incarnation SET sequence = sequence + 1, counters = %s::jsonb,"
            " folded_at = clock_timestamp() WHERE id = %s",
            [msgspec.json.encode(counters).decode(), SUM],
        )
        cursor.execute(
            "UPDATE monitoring_incarnation SET compacted = TRUE, counters = '[]',"
            " folded_at = clock_timestamp() WHERE id = ANY (%s)",
            [added],
        )
        cursor.execute(
            "DELETE FROM monitoring_incarnation WHERE compacted"
            " AND folded_at < clock_timestamp() - make_interval(secs => %s)",
            [TOMBSTONE_S],
        )


def stored(incarnations: Iterable[str]) -> list[Stored]:
    """Every row that counts, and those of `incarnations` that do no more: of one moment."""
    return _rows(_STORED, [list(incarnations)])


def lost() -> dict[str, int]:
    """Processes by kind that ended without a last word. Raises one of AWAY."""
    return lost_of(_rows(_UNSAID, [SUM, SUM]))


def lost_of(rows: Iterable[Stored]) -> dict[str, int]:
    """As `lost`, of rows that were read: those that are silent, and those added up."""
    found: Counter[str] = Counter()
    for row in rows:
        if row.silent and not row.compacted:
            found[row.kind] += 1
        if row.id == SUM:
            for sample in row.counters:
                if sample.name == LOST:
                    found[sample.labels["process"]] += int(sample.value)
    return dict(found)


def _rows(query: str, values: Sequence[str | list[str]]) -> list[Stored]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        rows = cursor.fetchall()
    return [
        Stored(
            id=row[0], kind=row[1], sequence=row[2], silent=row[3], compacted=row[4],
            counters=_COUNTERS.decode(row[5]),
        )
        for row in rows
    ]  # fmt: skip
