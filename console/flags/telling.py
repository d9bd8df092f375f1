"""What an audit entry of a flag says, in words: from how it stood to how it stands."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from console.access.models import AuditEntry
from console.flags.standing import Standing

_LONGEST = 120
_WITHOUT = "unrehearsed"


def both(entry: AuditEntry) -> tuple[str, str]:
    """Before and after; of a definition only what differs."""
    before, after = entry.before, entry.after
    if before.get("variants") and after.get("variants"):
        differs = [name for name in after if before.get(name) != after[name] and name != _WITHOUT]
        return _fields(before, differs), _fields(after, differs) + _without(after)
    return words(before), words(after)


def words(told: Mapping[str, Any]) -> str:
    """`gzip on 25 %, base64 else`, `5 % at 14:20:00`, `frozen until 2026-11-21 14:20`."""
    if not told:
        return "not there"
    if "plan" in told:
        steps = (f"{step['stage']} % at {_time(step['at'])}" for step in told["plan"])
        return ", ".join(steps) or "no plan"
    if "frozen_until" in told:
        until = told["frozen_until"]
        return f"frozen until {_time(until)}" if until else "not frozen"
    if set(Standing.__slots__) <= told.keys():
        return Standing.from_json(told).words + _without(told)
    return _fields(told, list(told))


def _without(told: Mapping[str, Any]) -> str:
    return f", without a drill of {told[_WITHOUT]}" if told.get(_WITHOUT) else ""


def _fields(told: Mapping[str, Any], names: list[str]) -> str:
    if set(names) <= set(Standing.__slots__):
        return words(told)
    return "; ".join(f"{name} {_short(told.get(name))}" for name in names)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _time(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M:%S}"
