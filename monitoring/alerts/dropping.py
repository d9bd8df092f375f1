"""Alerts that were over long ago, and what was told of them, deleted in batches."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """How many rows of each kind are gone."""

    alerts: int
    notifications: int
    deliveries: int
    silences: int

    @property
    def all(self) -> int:
        """Deliveries go with what they carry, and count with it."""
        return self.alerts + self.notifications + self.silences


def count(before: datetime) -> int:
    """How many alerts, notifications and silences `drop` would find."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"before": before})
        return int(cursor.fetchone()[0])


def drop(before: datetime, *, most: int) -> Batch:
    """The oldest of before that time, so many of each kind at most; deliveries go with what they
    carry. In the caller's transaction. What is open or still to be told stays.
    """
    values: dict[str, Any] = {"before": before, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(_DROP_ALERTS, values)
        alerts = cursor.rowcount
        cursor.execute(_DROP_NOTIFICATIONS, values)
        deliveries, notifications = cursor.fetchone()
        cursor.execute(_DROP_SILENCES, values)
        silences = cursor.rowcount
    return Batch(
        alerts=alerts, notifications=notifications, deliveries=deliveries, silences=silences
    )


# An alert began before it was over, and by its beginning there is an index. `told`: that it is
# over is still to be told while it is the severity that was told last.
_OVER: Final = """
    FROM monitoring_alert WHERE state = 'cleared' AND began_at < %(before)s
      AND cleared_at < %(before)s AND told NOT IN ('warning', 'critical')
"""
_DROP_ALERTS: Final = f"""
    DELETE FROM monitoring_alert WHERE id IN (
        SELECT id {_OVER} ORDER BY began_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
"""
# Two months: that one of a month was written is known by its row, until the next is.
_TOLD: Final = """
    FROM monitoring_notification n WHERE created_at < %(before)s AND routed
      AND (what <> 'digest' OR created_at < now() - interval '62 days')
      AND NOT EXISTS (
          SELECT 1 FROM monitoring_delivery d
          WHERE d.notification_id = n.id AND d.state IN ('due', 'failed')
      )
"""
_DROP_NOTIFICATIONS: Final = f"""
    WITH old AS (
        SELECT id {_TOLD} ORDER BY created_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    ), carried AS (
        DELETE FROM monitoring_delivery WHERE notification_id IN (SELECT id FROM old) RETURNING 1
    ), gone AS (
        DELETE FROM monitoring_notification WHERE id IN (SELECT id FROM old) RETURNING 1
    )
    SELECT (SELECT count(*) FROM carried), (SELECT count(*) FROM gone)
"""
_ENDED: Final = "FROM monitoring_silence WHERE ends_at < %(before)s"
_DROP_SILENCES: Final = f"""
    DELETE FROM monitoring_silence WHERE id IN (
        SELECT id {_ENDED} ORDER BY ends_at LIMIT %(most)s FOR UPDATE SKIP LOCKED
    )
"""
_DUE: Final = f"""
    SELECT (SELECT count(*) {_OVER}) + (SELECT count(*) {_TOLD}) + (SELECT count(*) {_ENDED})
"""
