"""How much there is of what is kept, and since when: runs, evidence, the trail, alerts, history."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from monitoring.alerts import dropping


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Bytes with indexes; rows as the statistics estimate them; None: not known."""

    octets: int
    rows: int | None
    oldest: datetime | None


def size(target: str) -> Size:
    tables, oldest = _OF[target]
    with connection.cursor() as cursor:
        cursor.execute(_SIZE, [tables[0], list(tables)])
        octets, rows = cursor.fetchone()
        cursor.execute(oldest)
        since = cursor.fetchone()[0]
    return Size(octets=octets, rows=None if rows is None or rows < 0 else rows, oldest=since)


def due(target: str, before: datetime) -> int:
    """How many had their time: runs, items with evidence, acts, alerts."""
    if target == "alerts":
        return dropping.count(before)
    with connection.cursor() as cursor:
        cursor.execute(_DUE[target], [before])
        return int(cursor.fetchone()[0])


def history() -> dict[str, int]:
    """The bytes of each step of the measured past, all its partitions together."""
    with connection.cursor() as cursor:
        cursor.execute(_HISTORY)
        return {name: int(octets) for name, octets in cursor.fetchall()}


_RUNS = (
    *("validation_run", "validation_chunk", "validation_item", "validation_result"),
    *("validation_anchor", "validation_retraction", "validation_catch"),
)
_ALERTS = (
    *("monitoring_alert", "monitoring_notification", "monitoring_delivery", "monitoring_silence"),
)
_OF = {
    "runs": (_RUNS, "SELECT min(finished_at) FROM validation_run"),
    "evidence": (("validation_evidence",), "SELECT min(kept_at) FROM validation_evidence"),
    "audit": (("access_auditentry",), "SELECT min(at) FROM access_auditentry"),
    "alerts": (_ALERTS, "SELECT min(began_at) FROM monitoring_alert"),
}
_DUE = {
    "runs": "SELECT count(*) FROM validation_run WHERE finished_at < %s",
    "evidence": "SELECT count(*) FROM validation_evidence WHERE kept_at < %s",
    "audit": "SELECT count(*) FROM access_auditentry WHERE at < %s",
}
_SIZE = """
SELECT sum(pg_total_relation_size(name::regclass))::bigint,
    (SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass)
FROM unnest(%s::text[]) AS name
"""
_HISTORY = """
SELECT parent.relname, coalesce(sum(pg_total_relation_size(i.inhrelid)), 0)::bigint
FROM pg_class parent LEFT JOIN pg_inherits i ON i.inhparent = parent.oid
WHERE parent.oid IN ('monitoring_point_10s'::regclass, 'monitoring_point_1m'::regclass,
    'monitoring_point_1h'::regclass)
GROUP BY 1 ORDER BY 1
"""
