"""Alerts: what fires, what mutes it, who was told, what was, and the rules with their sources."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Max, Q, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.views.decorators.http import require_safe

from console import runbooks
from console.exports import PAGE, TABLE_FORMS, stream_table
from console.http import render_page
from console.pages.alert_rows import of_unit, row_of, side_of
from monitoring.alerts.catalogue import RULES
from monitoring.alerts.destinations import Destination
from monitoring.alerts.rules import Rule
from monitoring.alerts.turns import last_look
from monitoring.models import Alert, Delivery, Notification, Silence

TEMPLATE = "console/alerts.html"
REGIONS = ("state", "firing", "silences", "told", "history")
FIRING_SHOWN, PENDING_SHOWN, SILENCES_SHOWN, TOLD_SHOWN, HISTORY_SHOWN = 100, 50, 50, 20, 30
COLUMNS = (
    *("id", "rule", "subject", "group", "severity", "state", "began_at", "fired_at", "cleared_at"),
    *("value", "worst", "threshold", "words", "flaps", "muted"),
    *("acknowledged_by", "acknowledged_at", "acknowledged_reason"),
)
RECENT = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One destination, and how its deliveries went."""

    destination: Destination
    delivered: int = 0
    waiting: int = 0
    given_up: int = 0
    last_at: datetime | None = None


@require_safe
def show(request: HttpRequest) -> HttpResponseBase:
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        return stream_table("alerts", form, COLUMNS, _pages())
    before, why_not = _before(request.GET.get("before", ""))
    context = {
        **load(before),
        "catalogue": catalogue(),
        "why_not": why_not,
        # Older ones are no live region: the newest would take their place.
        "topics": "" if before else "alerts",
    }
    return render_page(request, TEMPLATE, "", context, status=422 if why_not else 200)


def load(before: int | None = None) -> dict[str, Any]:
    now = timezone.now()
    firing, pending = (standing().filter(state=state) for state in ("firing", "pending"))
    # In the order that they were written in, which `before` cuts by.
    cleared = Alert.objects.filter(state="cleared").order_by("-id")
    earlier = cleared.filter(pk__lt=before) if before else cleared
    history = [row_of(alert) for alert in earlier[: HISTORY_SHOWN + 1]]
    silences = Silence.objects.filter(ends_at__gt=now).order_by("begins_at", "pk")
    return {
        "section": "alerts",
        "counted": _counted(),
        "firing": [row_of(alert) for alert in firing[:FIRING_SHOWN]],
        "pending": [row_of(alert) for alert in pending[:PENDING_SHOWN]],
        "silences": [(one, one.begins_at <= now) for one in silences[:SILENCES_SHOWN]],
        "destinations": destinations(),
        "told": told(Notification.objects.all()),
        "history": history[:HISTORY_SHOWN],
        "older": history[HISTORY_SHOWN - 1].alert.pk if len(history) > HISTORY_SHOWN else None,
        "before": before,
        "looked": last_look(),
        "evaluates": settings.COLLECT,
    }


def _before(asked: str) -> tuple[int | None, str]:
    """The number that was asked for, or why that cannot be."""
    if not asked:
        return None, ""
    if asked.isascii() and asked.isdigit() and len(asked) < 19 and int(asked):  # noqa: PLR2004 - what Postgres holds
        return int(asked), ""
    return None, f"before: {asked[:20]!r} is not the number of an alert."


def _counted() -> dict[str, int]:
    """All that are open, whatever part of them is shown."""
    fires = Q(state="firing")
    return Alert.objects.exclude(state="cleared").aggregate(
        firing=Count("pk", filter=fires),
        critical=Count("pk", filter=fires & Q(severity="critical")),
        pending=Count("pk", filter=Q(state="pending")),
    )


def standing() -> QuerySet[Alert]:
    """All that are open: firing before pending, critical before warning, the newest first."""
    found = Alert.objects.exclude(state="cleared")
    # "firing" < "pending", "critical" < "warning".
    return found.order_by("state", "severity", "-began_at", "-pk")


def destinations() -> list[Told]:
    """Whom NOTIFY_URLS names, with what became of the last week's."""
    since = timezone.now() - RECENT
    recent = Delivery.objects.filter(notification__created_at__gte=since)
    rows = recent.values("destination").annotate(
        delivered=Count("pk", filter=Q(state="delivered")),
        waiting=Count("pk", filter=Q(state__in=("due", "failed"))),
        given_up=Count("pk", filter=Q(state="given_up")),
        last_at=Max("delivered_at"),
    )
    counts: dict[str, dict[str, Any]] = {}
    for row in rows:
        said: dict[str, Any] = dict(row)
        counts[said.pop("destination")] = said
    return [
        Told(destination=one, **counts.get(one.name, {})) for one in settings.NOTIFY_DESTINATIONS
    ]


def told(found: QuerySet[Notification]) -> Sequence[Notification]:
    """The newest, each with its deliveries."""
    newest = found.order_by("-created_at", "-pk").prefetch_related("deliveries")
    return list(newest[:TOLD_SHOWN])


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A rule as the catalogue on the page says it."""

    rule: Rule
    warning: str
    critical: str

    @property
    def side(self) -> str:
        return side_of(self.rule)

    @property
    def runbook(self) -> str:
        return self.rule.runbook if runbooks.is_there(self.rule.runbook) else ""


def catalogue() -> list[Listed]:
    return [
        Listed(
            rule=rule,
            warning=of_unit(rule.warning, rule.unit),
            critical=of_unit(rule.critical, rule.unit),
        )
        for rule in sorted(RULES.values(), key=lambda rule: (rule.group, rule.key))
    ]


def _pages() -> Iterator[list[dict[str, Any]]]:
    """All of them, the newest first."""
    found = Alert.objects.order_by("-pk").values(*COLUMNS)
    page = list(found[:PAGE])
    while page:
        yield page
        page = list(found.filter(pk__lt=page[-1]["id"])[:PAGE])
