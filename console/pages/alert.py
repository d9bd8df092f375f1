"""One alert: its figure, its threshold and why that, who was told, and how often it came before."""

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.http import render_page
from console.pages import alerts
from console.pages.alert_rows import Row, of_unit, row_of
from monitoring.models import Alert, Notification

TEMPLATE = "console/alert.html"
REGIONS = ("actions", "standing", "told", "before")
BEFORE_SHOWN = 20


@require_safe
def show(request: HttpRequest, pk: int) -> HttpResponse:
    context = {**load(find(pk)), "topics": f"alert:{pk}"}
    return render_page(request, TEMPLATE, "", context)


def find(pk: int) -> Row:
    alert = Alert.objects.filter(pk=pk).first()
    if alert is None:
        raise Http404(f"There is no alert {pk}: it was never raised, or is not kept any more.")
    return row_of(alert)


def load(row: Row) -> dict[str, Any]:
    alert, rule = row.alert, row.rule
    same = Alert.objects.filter(rule=alert.rule, subject=alert.subject).exclude(pk=alert.pk)
    since = Notification.objects.filter(group=alert.group, created_at__gte=alert.began_at)
    about = since.filter(alerts__contains=[{"id": alert.pk}])
    return {
        "section": "alerts",
        "row": row,
        "alert": alert,
        "rule": rule,
        "warning": of_unit(rule.warning, rule.unit) if rule else "",
        "critical": of_unit(rule.critical, rule.unit) if rule else "",
        "told": alerts.told(about),
        "times": same.count(),
        "before": [row_of(one) for one in same.order_by("-began_at", "-pk")[:BEFORE_SHOWN]],
    }
