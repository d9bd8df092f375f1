"""Runbooks, readable where the alert is."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console import runbooks
from console.http import render_page
from console.pages.alert_rows import row_of
from monitoring.alerts.catalogue import RULES
from monitoring.models import Alert

TEMPLATE = "console/runbook.html"


@require_safe
def show(request: HttpRequest, name: str) -> HttpResponse:
    found = runbooks.find(name)
    if found is None:
        missing = {"section": "alerts", "name": name[:80], "known": runbooks.names()}
        return render_page(request, TEMPLATE, "", missing, status=404)
    rules = [rule for rule in RULES.values() if rule.runbook == name]
    firing = Alert.objects.filter(state="firing", rule__in=[rule.key for rule in rules])
    context = {
        "section": "alerts",
        "runbook": found,
        "text": found.html(),
        "rules": rules,
        "firing": [row_of(alert) for alert in firing.order_by("severity", "-pk")[:20]],
    }
    return render_page(request, TEMPLATE, "", context)
