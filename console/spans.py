"""Spans of time as a person types them: 90, 90s, 15m, 2h."""

import re

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_SPAN = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*(s|m|h|d|)")


class Unreadable(ValueError):
    """Says what was typed and what can be read."""


def seconds_of(text: str) -> float:
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise Unreadable(f"{text[:40]!r} is no span of time: type 90s, 15m or 2h.")
    return float(found[1]) * _UNITS[found[2]]
