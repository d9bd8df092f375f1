"""Alerts of rules that this release does not know: of a newer one, or of one that was taken out.

While releases are exchanged they are another's to judge. What nobody has judged for an hour ends.
"""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Final

import psycopg
import structlog

from monitoring.alerts.rows import Known
from monitoring.collectors.questions import Row

_CLOSE: Final = """
    UPDATE monitoring_alert SET state = 'cleared', cleared_at = %(now)s,
           told = CASE told WHEN '' THEN '' ELSE 'over' END,
           muted = 'its rule is gone from the catalogue'
    WHERE state <> 'cleared' AND NOT rule = ANY (%(rules)s)
      AND coalesce(seen_at, began_at) < %(now)s - interval '1 hour'
    RETURNING rule, subject
"""

log = structlog.get_logger(__name__)


def without(known: Known, rules: Collection[str]) -> Known:
    return replace(
        known,
        open={key: alert for key, alert in known.open.items() if alert.rule in rules},
        cleared=tuple(alert for alert in known.cleared if alert.rule in rules),
    )


def close(cursor: psycopg.Cursor[Row], rules: Collection[str], now: datetime) -> None:
    """Nobody is told that they are over: nobody knows that."""
    cursor.execute(_CLOSE, {"rules": list(rules), "now": now})
    for row in cursor.fetchall():
        log.warning("alert.rule_is_gone", rule=row["rule"], subject=row["subject"])
