"""Alerts and silences as API and command show them."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from django.db.models import Q, QuerySet

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.rules import Rule
from monitoring.alerts.turns import last_look
from monitoring.models import Alert, Silence

MOST: Final = 500
STATES: Final = ("firing", "pending", "cleared")
_ALERT: Final = (
    *("id", "rule", "subject", "group", "severity", "state", "value", "worst", "threshold"),
    *("words", "flaps", "told", "muted", "began_at", "fired_at", "cleared_at", "seen_at"),
    *("unknown_since", "acknowledged_by", "acknowledged_at", "acknowledged_reason"),
)
_SILENCE: Final = (
    *("id", "kind", "rule", "group", "subject", "begins_at", "ends_at", "reason", "by"),
)


def alerts(states: Iterable[str], most: int = 100) -> list[dict[str, Any]]:
    """The newest first; of each the rule's words as well."""
    found = Alert.objects.filter(state__in=list(states)).order_by("-began_at", "-id")[:most]
    return [alert_of(alert) for alert in found]


def alert_of(alert: Alert) -> dict[str, Any]:
    rule = RULES.get(alert.rule)
    said = {name: getattr(alert, name) for name in _ALERT}
    # One of an older release may be of a rule that there is no more.
    page, runbook = (rule.page, rule.runbook) if rule else ("", "")
    return said | {"title": rule.title if rule else "", "page": page, "runbook": runbook}


def looked() -> dict[str, Any]:
    """Whether anybody looks: an empty list says nothing where nobody does."""
    found = last_look()
    return {"looked_at": found.at, "is_missed": found.is_missed}


def silences(now: datetime) -> list[dict[str, Any]]:
    """Those in force and those to come, that which ends first first."""
    found: QuerySet[Silence] = Silence.objects.filter(Q(ends_at__gt=now)).order_by("ends_at", "id")
    return [silence_of(one) for one in found[:MOST]]


def silence_of(one: Silence) -> dict[str, Any]:
    return {name: getattr(one, name) for name in _SILENCE}


def rules() -> list[dict[str, Any]]:
    return [_rule(rule) for rule in RULES.values()]


def _rule(rule: Rule) -> dict[str, Any]:
    names = (
        *("key", "title", "group", "subject", "unit", "breach", "warning", "critical", "hold_s"),
        *("clear_s", "least", "absent", "page", "runbook", "expr", "why"),
    )
    said: Mapping[str, Any] = {name: getattr(rule, name) for name in names}
    sources = [{"source": one.source, "says": one.says} for one in rule.said]
    return {**said, "mutes": list(rule.mutes), "said": sources}
