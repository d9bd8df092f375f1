"""Which notifications there are to write: one a group, with all that it has to tell at a moment.

A warning waits a quarter of a minute before it is told: one on its way to critical is told as that,
once. What fires shortly after its group was told waits a minute, unless it is more severe: one
trouble shows in several figures, one after the other. It is told as over when nothing of the group
that was told of is left, or a minute after it was; not while the same fires again. What was told of
and goes on is no news: it is listed at the end, as that.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from monitoring.alerts.rules import Rule, Severity
from monitoring.alerts.states import CLEARED, FIRING, Standing

# What `told` says of one whose end was told.
OVER: Final = "over"
_APART: Final = timedelta(seconds=60)
# What is critical does not wait, and takes along what waits.
_WAIT: Final = timedelta(seconds=15)
_RANK: Final = {"": 0, "warning": 1, "critical": 2}
_LISTED: Final = 10

type What = Literal["fired", "worse", "cleared"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A Notification to be, and the alerts that it has news of: `what_of` says which."""

    key: str
    group: str
    severity: Severity
    what: What
    title: str
    body: str
    alerts: tuple[Standing, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LastTold:
    """When a group was last told that something fires, and how severe that was."""

    at: datetime
    severity: str


def notices(
    alerts: Iterable[Standing],
    rules: Mapping[str, Rule],
    last: Mapping[str, LastTold],
    now: datetime,
) -> Iterator[Notice]:
    """`alerts`: all that are open, and those that cleared; what is muted says so itself."""
    groups: dict[str, list[Standing]] = defaultdict(list)
    for alert in alerts:
        groups[rules[alert.rule].group].append(alert)
    for group, members in sorted(groups.items()):
        fresh = _fresh(members, last.get(group), now)
        going_on = [alert for alert in members if _goes_on(alert) and alert not in fresh]
        if fresh:
            yield _notice(group, fresh, going_on, rules)
        if over := _over(members, now):
            yield _notice(group, over, going_on, rules)


def what_of(alert: Standing) -> What:
    """What there is to tell of one that there is news of."""
    if alert.state == CLEARED:
        return "cleared"
    return "worse" if alert.told else "fired"


def _fresh(members: list[Standing], last: LastTold | None, now: datetime) -> list[Standing]:
    found = [alert for alert in members if _is_news(alert)]
    if not any(_has_waited(alert, now) for alert in found):
        return []
    if last is None or abs(now - last.at) >= _APART:  # later than now: a clock was set back
        return found
    most = max(_RANK[alert.severity] for alert in found)
    return found if most > _RANK.get(last.severity, 0) else []


def _is_news(alert: Standing) -> bool:
    if alert.state != FIRING or alert.muted:
        return False
    return _RANK[alert.severity] > _RANK.get(alert.told, 0)


def _has_waited(alert: Standing, now: datetime) -> bool:
    if alert.severity == "critical" or alert.fired_at is None:
        return True
    return now - alert.fired_at >= _WAIT


def _goes_on(alert: Standing) -> bool:
    return alert.state == FIRING and bool(alert.told) and not alert.muted


def _over(members: list[Standing], now: datetime) -> list[Standing]:
    again = {(alert.rule, alert.subject) for alert in members if alert.state == FIRING}
    found = [a for a in members if a.state == CLEARED and a.told not in {"", OVER}]
    found = [alert for alert in found if (alert.rule, alert.subject) not in again]
    if any(alert.state == FIRING and alert.told for alert in members):
        found = [a for a in found if a.cleared_at is not None and abs(now - a.cleared_at) >= _APART]
    return found


def _notice(
    group: str, alerts: list[Standing], going_on: list[Standing], rules: Mapping[str, Rule]
) -> Notice:
    alerts = sorted(alerts, key=lambda alert: (-_RANK[alert.severity], alert.id))
    severity = alerts[0].severity
    news = {what_of(alert) for alert in alerts}
    what: What = "fired" if "fired" in news else news.pop()
    lines = [_line(alert, rules[alert.rule]) for alert in alerts]
    return Notice(
        key=key_of(group, what, ",".join(f"{a.id}:{a.severity}" for a in alerts)),
        group=group,
        severity=severity,
        what=what,
        title=_title(alerts, rules),
        body="\n".join([*lines, *_listed(going_on)]),
        alerts=tuple(alerts),
    )


def key_of(group: str, what: str, of: str) -> str:
    """The same for the same alerts in the same plight, whoever writes it."""
    return f"{group}.{what}.{hashlib.sha256(of.encode()).hexdigest()[:16]}"


def _title(alerts: list[Standing], rules: Mapping[str, Rule]) -> str:
    first, more = alerts[0], len(alerts) - 1
    heads = {"fired": first.severity.upper(), "worse": "NOW CRITICAL", "cleared": "OVER"}
    head = heads[what_of(first)]
    about = f": {first.subject}" if first.subject else ""
    rest = f" (and {more} more)" if more else ""
    return f"{head} {rules[first.rule].title}{about}{rest}"


def _line(alert: Standing, rule: Rule) -> str:
    about = f" {alert.subject}" if alert.subject else ""
    ends = f" until {alert.cleared_at:%H:%M:%S}" if alert.cleared_at else ""
    words = f": {alert.words}" if alert.words else ""
    before = f", told of as {alert.told} before" if what_of(alert) == "worse" else ""
    return (
        f"{alert.severity} {alert.rule}{about} since {alert.began_at:%Y-%m-%d %H:%M:%S}{ends} UTC"
        f"{before}\n  {rule.title}{words}"
    )


def _listed(going_on: list[Standing]) -> Iterator[str]:
    if going_on:
        yield "\nNo news, and goes on:"
    for alert in going_on[:_LISTED]:
        about = f"{alert.rule} {alert.subject}".rstrip()
        yield f"  {alert.severity} {about} since {alert.began_at:%Y-%m-%d %H:%M:%S} UTC"
    if len(going_on) > _LISTED:
        yield f"  and {len(going_on) - _LISTED} more"
