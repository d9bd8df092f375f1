"""What an operator does about alerts: acknowledges, silences, sends a test to who is told."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.forms import Form
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from console import alerts as acts
from console.access.roles import requires
from console.pages import alert, asking
from console.pages.act_forms import ActForm
from console.pages.alert_forms import SilenceForm
from monitoring.models import Alert, Silence

TEMPLATE = "console/confirm_alert.html"


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    row = alert.find(pk)
    context = {
        "title": f"Acknowledge {row.alert}?",
        "button": "Acknowledge 1 alert",
        "facts": [
            ("Now", f"{row.state.word}: {row.alert.words or row.title}"),
            ("After", ("the same, with your name and reason, until it is over; it is told again "
             "only if it becomes critical")),
        ],
        "why_not": "It is over: there is nothing to acknowledge."
        if row.alert.state == "cleared" else "",
        "back": reverse("alert", args=[pk]),
    }  # fmt: skip
    form = ActForm(asking.sent(request))
    actor = asking.actor_of(request)
    return _answer(
        request,
        form,
        lambda: acts.acknowledge(actor, pk, reason=form.why),
        context,
        said=f"Acknowledged: {row.alert}.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def silence(request: HttpRequest) -> HttpResponse:
    """Filled in from `?alert=17`, where somebody comes from one; else from what fires, if that is
    one.
    """
    context = {
        "title": "Silence alerts?",
        "button": "Silence for this long",
        "facts": [("After", ("nobody is told of what matches; it is shown all the same, and told "
                   "if it still fires when the silence ends"))],
        "back": reverse("alerts"),
    }  # fmt: skip
    form = SilenceForm(asking.sent(request), initial=_filled_in(request))
    actor = asking.actor_of(request)

    def do() -> object:
        given = form.cleaned_data
        return acts.silence(
            actor,
            rule=form.rule,
            group=form.group,
            subject=given["subject"],
            kind=given["kind"] or "silence",
            for_s=given["for_s"],
            begins_at=given["begins_at"],
            reason=form.why,
        )

    return _answer(request, form, do, context, said="Silenced. It ends by itself.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def end_silence(request: HttpRequest, pk: int) -> HttpResponse:
    found = Silence.objects.filter(pk=pk).first()
    if found is None:
        raise Http404(f"There is no silence {pk}.")
    over = found.ends_at <= timezone.now()
    context = {
        "title": f"End {found.kind} {pk}?",
        "button": f"End 1 {found.kind}",
        "facts": [
            ("Now", (f"{found}, until {found.ends_at:%Y-%m-%d %H:%M} UTC, by {found.by}: "
             f"{found.reason}")),
            ("After", "what fires is told again, what fires now too"),
        ],
        "why_not": "It has ended: there is nothing to end." if over else "",
        "back": reverse("alerts"),
    }  # fmt: skip
    form = ActForm(asking.sent(request))
    actor = asking.actor_of(request)
    return _answer(
        request,
        form,
        lambda: acts.end_silence(actor, pk, reason=form.why),
        context,
        said=f"Ended: {found.kind} {pk}.",
    )


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def send_test(request: HttpRequest) -> HttpResponse:
    names = ", ".join(one.name for one in settings.NOTIFY_DESTINATIONS)
    context = {
        "title": "Send a test?",
        "button": "Send 1 test",
        "facts": [
            ("To", names or "nobody"),
            ("After", ("each gets one message that says it is a test; to a pager it is an incident "
             "like any other. Its deliveries show among those of alerts")),
        ],
        "why_not": "" if names else
        "NOTIFY_URLS names nobody: there is nobody to send a test to.",
        "back": reverse("alerts"),
    }  # fmt: skip
    form = ActForm(asking.sent(request))
    actor = asking.actor_of(request)
    return _answer(
        request,
        form,
        lambda: acts.send_test(actor, reason=form.why),
        context,
        said=f"A test is on its way to {names}: its deliveries show below in a few seconds.",
    )


def _filled_in(request: HttpRequest) -> dict[str, str]:
    number = request.GET.get("alert", "")
    firing = Alert.objects.filter(state="firing", muted="")
    if number.isascii() and number.isdigit() and len(number) < 19:  # noqa: PLR2004 - what Postgres holds
        firing = Alert.objects.filter(pk=number)
    found = list(firing[:2])
    if len(found) != 1:
        return {}
    return {"covers": f"rule:{found[0].rule}", "subject": found[0].subject}


def _answer(
    request: HttpRequest,
    form: Form,
    do: Callable[[], object],
    context: dict[str, Any],
    *,
    said: str,
) -> HttpResponse:
    known = {"section": "alerts", **context}
    if request.method != "POST":
        return asking.show(request, form, known, template=TEMPLATE)

    def act() -> int:
        do()
        return 0

    status, _ = asking.attempt(form, act)
    if status == asking.DONE:
        return asking.done(request, said, 0, context["back"])
    return asking.show(request, form, known, status=status, template=TEMPLATE)
