"""What a notification says to whoever gets it: what is wrong, where to look, what to do."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from django.conf import settings

from monitoring.alerts.catalogue import RULES
from monitoring.alerts.lines import Letter
from monitoring.models import Notification

_LINKED: Final = 5


def letter(notification: Notification, *, delivery: int = 0, attempt: int = 0) -> Letter:
    """The same text however often it is sent."""
    body = "\n\n".join(
        part
        for part in (
            notification.body.strip(),
            "\n".join(_links(notification.alerts)),
            f"Key: {notification.key}\nThe same notification always has the same key.",
        )
        if part
    )
    return Letter(
        title=notification.title,
        body=body,
        severity=notification.severity,
        what=notification.what,
        delivery=delivery,
        attempt=attempt,
    )


def _links(alerts: Iterable[Mapping[str, Any]]) -> Iterable[str]:
    """Where to look and what to do, of each alert; paths alone where nobody said our address."""
    pages = [page(one["id"]) for one in alerts if one.get("id")]
    yield from (f"Look and act: {address}" for address in pages[:_LINKED])
    if len(pages) > _LINKED:
        yield f"and {len(pages) - _LINKED} more: {settings.PUBLIC_URL}/alerts/"
    rules = [RULES[one["rule"]] for one in alerts if one.get("rule") in RULES]
    runbooks = list(dict.fromkeys(rule.runbook for rule in rules if rule.runbook))
    yield from (f"What to do: {runbook(name)}" for name in runbooks[:_LINKED])


def page(alert: int) -> str:
    return f"{settings.PUBLIC_URL}/alerts/{alert}/"


def runbook(name: str) -> str:
    return f"{settings.PUBLIC_URL}/alerts/runbooks/{name.removesuffix('.md')}/"
