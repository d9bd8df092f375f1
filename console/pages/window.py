"""Which stretch of time a page's charts show, by its address: `range`, or `from` and `to`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from console.pages.ribbon import RANGES

DEFAULT: Final = "1h"
LEAST: Final = timedelta(minutes=1)
MOST: Final = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """`name` is the range that was chosen; "" where `from` and `to` were. `refused`: why what was
    asked for is not shown, in words.
    """

    begins: datetime
    ends: datetime
    name: str = ""
    refused: str = ""

    @property
    def length_s(self) -> float:
        return (self.ends - self.begins).total_seconds()


class _Refused(Exception):
    """In words for whoever typed it."""


def of(query: Mapping[str, str], *, now: datetime, default: str = DEFAULT) -> Window:
    """What cannot be shown is refused in words, and the default is shown instead. `from` and `to`
    go before a range; without `to` it is until now.
    """
    try:
        if query.get("from") or query.get("to"):
            return _between(query.get("from", ""), query.get("to", ""), now)
        return _ending(query.get("range") or default, now)
    except _Refused as exc:
        begins = now - timedelta(seconds=RANGES[default])
        return Window(begins=begins, ends=now, name=default, refused=str(exc))


def _ending(name: str, now: datetime) -> Window:
    if name not in RANGES:
        known = ", ".join(RANGES)
        raise _Refused(f"range={_short(name)} is none of {known}.")
    return Window(begins=now - timedelta(seconds=RANGES[name]), ends=now, name=name)


def _between(since: str, until: str, now: datetime) -> Window:
    if not since:
        raise _Refused("to= needs a from= before it.")
    begins = _moment("from", since)
    ends = min(_moment("to", until), now) if until else now
    if begins >= now:
        raise _Refused(f"from={_short(since)} has not come yet.")
    if ends - begins < LEAST:
        raise _Refused(f"from={_short(since)} is not a minute or more before the end.")
    if ends - begins > MOST:
        raise _Refused(f"from={_short(since)} is more than a year before the end.")
    return Window(begins=begins, ends=ends)


def _moment(name: str, text: str) -> datetime:
    """ISO 8601, of UTC unless it says otherwise; a plus of its zone came as a space."""
    try:
        found = datetime.fromisoformat(text.strip().replace(" ", "+") if "T" in text else text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        example = "2026-03-31T14:00:00Z"
        raise _Refused(f"{name}={_short(text)} is no moment such as {example}.") from None


def _short(text: str) -> str:
    return repr(text[:40])
