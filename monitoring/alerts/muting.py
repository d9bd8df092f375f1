"""Why nobody is told of an alert: it is silenced, there is maintenance, or another explains it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from monitoring.alerts.rules import Rule
from monitoring.alerts.states import CLEARED, Standing
from monitoring.alerts.subjects import concerns

# What followed from an alert may outlive it for a moment, and is no news then.
_AFTERMATH: Final = timedelta(seconds=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A Silence in force; "" is any."""

    id: int
    kind: str
    rule: str
    group: str
    subject: str
    ends_at: datetime

    def covers(self, rule: Rule, subject: str) -> bool:
        return (
            self.rule in {"", rule.key}
            and self.group in {"", rule.group}
            and (not self.subject or fnmatchcase(subject, self.subject))
        )


def why_muted(
    alert: Standing,
    rules: Mapping[str, Rule],
    others: Iterable[Standing],
    silences: Iterable[Quiet],
    now: datetime,
) -> str:
    """In words, as it is shown; "" where somebody is to be told. `others` may still be pending:
    which of two is seen first is chance, and says nothing of which follows from which.
    """
    rule = rules[alert.rule]
    for quiet in silences:
        if quiet.covers(rule, alert.subject):
            return f"{quiet.kind} {quiet.id} until {quiet.ends_at:%Y-%m-%d %H:%M} UTC"
    for other in others:
        if alert.rule in rules[other.rule].mutes and _concerns(other, alert, now):
            return f"follows from {other.rule} {other.subject}".rstrip()
    return ""


def _concerns(cause: Standing, alert: Standing, now: datetime) -> bool:
    """A cause of one subject mutes what is about that one, or about none."""
    if cause.state == CLEARED and (cause.cleared_at is None or now - cause.cleared_at > _AFTERMATH):
        return False
    return concerns(cause.subject, alert.subject)
