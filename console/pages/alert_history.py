"""What was done about alerts, in words: acknowledged by whom, silenced what and until when."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from console.access.models import AuditEntry

KIND: Final = "alert"
ACKNOWLEDGE: Final = "acknowledge"
_SEND_TEST: Final = "send_test"


def number_of(row: AuditEntry) -> str:
    """Of the alert that was acknowledged, or of the silence: its target begins with it."""
    number, _, _ = row.target.partition(" ")
    return number if number.isascii() and number.isdigit() else ""


def both(row: AuditEntry) -> tuple[str, str]:
    """Before and after."""
    if row.action == ACKNOWLEDGE:
        return _acknowledged(row.before), _acknowledged(row.after)
    if row.action.startswith("end_"):
        return _silenced(row.before, row.action), f"told again since {_at(row.after, 'ends_at')}"
    if row.action == _SEND_TEST:
        return "nothing sent", f"a test sent to {', '.join(row.after.get('destinations', ()))}"
    return "told", _silenced(row.after, row.action)


def _acknowledged(told: Mapping[str, Any]) -> str:
    who = told.get("acknowledged_by")
    return f"acknowledged by {who}" if who else "not acknowledged"


def _silenced(told: Mapping[str, Any], action: str) -> str:
    """`db.pool_used of db.* silenced from 2026-11-21 22:00 until 23:00 UTC`."""
    what = told.get("rule") or (f"all of {told['group']}" if told.get("group") else "everything")
    of = f" of {told['subject']}" if told.get("subject") else ""
    word = "in maintenance" if action.endswith("maintenance") else "silenced"
    begins, ends = _at(told, "begins_at"), _at(told, "ends_at")
    if begins[:10] == ends[:10]:
        ends = ends[11:]
    return f"{what}{of} {word} from {begins.removesuffix(' UTC')} until {ends}"


def _at(told: Mapping[str, Any], name: str) -> str:
    moment = told.get(name)
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC" if moment else "an unknown time"
