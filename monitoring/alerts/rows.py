"""The rows of alerts, silences and notifications, as a turn reads and writes them.

On a connection of a look's own, in SQL: the pool of the web process may be what is exhausted.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

import psycopg
from django.conf import settings

from monitoring.alerts.grouping import OVER, LastTold, Notice, what_of
from monitoring.alerts.muting import Quiet
from monitoring.alerts.states import FLAPS_WITHIN, Standing
from monitoring.collectors.questions import Questions, Row

_COLUMNS: Final = (
    *("rule", "subject", "severity", "state", "began_at", "fired_at", "cleared_at", "calm_since"),
    *("critical_since", "value", "worst", "seen_at", "unknown_since", "words", "threshold"),
    *("flaps", "told", "told_at", "muted"),
)
_LISTED: Final = ", ".join(_COLUMNS)
# Open ones, and those of late: told as over or not, and whether one flaps.
_ALERTS: Final = f"""
    SELECT id, {_LISTED}, acknowledged_at IS NOT NULL AS acknowledged FROM monitoring_alert
    WHERE state <> 'cleared' OR cleared_at > %(since)s
       OR state = 'cleared' AND told IN ('warning', 'critical')
    ORDER BY state = 'cleared', id LIMIT 5000
"""
_SILENCES: Final = """
    SELECT id, kind, rule, "group", subject, ends_at FROM monitoring_silence
    WHERE ends_at > %(now)s AND begins_at <= %(now)s ORDER BY ends_at DESC LIMIT 500
"""
_LAST: Final = """
    SELECT DISTINCT ON ("group") "group", created_at AS at, severity FROM monitoring_notification
    WHERE what IN ('fired', 'worse') AND created_at > %(now)s - interval '10 minutes'
    ORDER BY "group", created_at DESC
"""
# On its way for longer than a destination takes that is well, or given up of late. A digest may
# wait, and what was for a destination that is named no more never comes.
_UNDELIVERED: Final = """
    SELECT destination, count(*)::int AS number FROM monitoring_delivery
    JOIN monitoring_notification AS told ON told.id = notification_id
    WHERE (state IN ('due', 'failed') AND told.created_at < %(now)s - interval '5 minutes'
           OR state = 'given_up' AND next_at > %(now)s - interval '1 hour')
      AND told.what <> 'digest' AND destination = ANY (%(named)s) GROUP BY 1 LIMIT 50
"""
_INSERT: Final = f"""
    INSERT INTO monitoring_alert ({_LISTED}, "group", acknowledged_by, acknowledged_reason)
    VALUES ({", ".join(f"%({name})s" for name in _COLUMNS)}, %(group)s, '', '')
    ON CONFLICT DO NOTHING RETURNING id
"""
_UPDATE: Final = f"""
    UPDATE monitoring_alert SET {", ".join(f"{name} = %({name})s" for name in _COLUMNS)}
    WHERE id = %(id)s AND state = %(was)s
"""
_FORGET: Final = "DELETE FROM monitoring_alert WHERE id = %(id)s AND state = 'pending'"
_NOTIFY: Final = """
    INSERT INTO monitoring_notification
        (key, "group", severity, what, title, body, alerts, routed, created_at)
    VALUES (%(key)s, %(group)s, %(severity)s, %(what)s, %(title)s, %(body)s, %(alerts)s, false,
            %(now)s)
    ON CONFLICT (key) DO NOTHING
"""
_TOLD: Final = """
    UPDATE monitoring_alert SET told = %(told)s, told_at = %(now)s WHERE id = ANY (%(ids)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is written down before a look. `before`: of late, by rule and subject, how often each
    had come back in a row.
    """

    open: Mapping[tuple[str, str], Standing]
    cleared: tuple[Standing, ...]
    before: Mapping[tuple[str, str], int]
    silences: tuple[Quiet, ...]
    last: Mapping[str, LastTold]
    undelivered: Mapping[str, int]


def read(on: Questions, now: datetime) -> Known:
    """Raises psycopg.Error."""
    since = now - FLAPS_WITHIN
    named = [one.name for one in settings.NOTIFY_DESTINATIONS]
    alerts = [Standing(**row) for row in on.ask(_ALERTS, {"since": since})]
    cleared = tuple(alert for alert in alerts if alert.state == "cleared")
    return Known(
        open={(a.rule, a.subject): a for a in alerts if a.state != "cleared"},
        cleared=cleared,
        before={
            (alert.rule, alert.subject): alert.flaps
            for alert in cleared
            if alert.cleared_at and alert.cleared_at > since
        },
        silences=tuple(Quiet(**row) for row in on.ask(_SILENCES, {"now": now})),
        last={row.pop("group"): LastTold(**row) for row in on.ask(_LAST, {"now": now})},
        undelivered={
            row["destination"]: row["number"]
            for row in on.ask(_UNDELIVERED, {"now": now, "named": named})
        },
    )


def insert(cursor: psycopg.Cursor[Row], alert: Standing, group: str) -> int:
    """Its number; 0: it is open already, by somebody else's word."""
    cursor.execute(_INSERT, asdict(alert) | {"group": group})
    row = cursor.fetchone()
    return row["id"] if row else 0


def update(cursor: psycopg.Cursor[Row], was: Standing, alert: Standing) -> bool:
    cursor.execute(_UPDATE, asdict(alert) | {"was": was.state})
    return cursor.rowcount == 1


def forget(cursor: psycopg.Cursor[Row], alert: Standing) -> None:
    cursor.execute(_FORGET, {"id": alert.id})


def tell(cursor: psycopg.Cursor[Row], notice: Notice, now: datetime) -> bool:
    """Writes the notification and that its alerts were told of; False: it is there already."""
    values: dict[str, Any] = {
        **{name: getattr(notice, name) for name in ("key", "group", "severity", "what")},
        "title": notice.title,
        "body": notice.body,
        "alerts": json.dumps([_told_of(alert) for alert in notice.alerts]),
        "now": now,
    }
    cursor.execute(_NOTIFY, values)
    written = cursor.rowcount == 1
    for told, alerts in _by_told(notice).items():
        cursor.execute(_TOLD, {"told": told, "now": now, "ids": alerts})
    return written


def _by_told(notice: Notice) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for alert in notice.alerts:
        told = OVER if notice.what == "cleared" else alert.severity
        found.setdefault(told, []).append(alert.id)
    return found


def _told_of(alert: Standing) -> dict[str, Any]:
    names: Iterable[str] = ("id", "rule", "subject", "severity", "words", "value")
    return {**{name: getattr(alert, name) for name in names}, "what": what_of(alert)}
