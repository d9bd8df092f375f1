"""Freezing flags and ending that before its time: of one, or of all."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access.roles import requires
from console.flags import clock, freezing
from console.flags.models import Flag, Freeze
from console.pages import asking, figures
from console.pages.act_forms import ActForm
from console.pages.flag_acts import TEMPLATE, row
from console.pages.flag_forms import FreezeForm


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def freeze(request: HttpRequest, key: str = "") -> HttpResponse:
    context = _context(key)
    what = context["what"]
    context |= {
        "title": f"Freeze {what}?",
        "button": f"Freeze {what}",
        "facts": [
            *context["facts"],
            ("After", "no stage is raised, none switched off; lowering and rolling back stay free"),
            ("Waits", _waiting(key)),
        ],
    }
    form = FreezeForm(asking.sent(request))
    actor = asking.actor_of(request)

    def do() -> int:
        until = clock.now() + timedelta(seconds=form.cleaned_data["for_s"])
        freezing.freeze(actor, key, until, reason=form.why)
        return 0

    return _answer(request, form, do, context, said=f"Frozen: {what}. It ends by itself.")


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def thaw(request: HttpRequest, key: str = "") -> HttpResponse:
    context = _context(key)
    what = context["what"]
    holds = freezing.standing(key, clock.now())
    context |= {
        "title": f"End the freeze of {what}?",
        "button": "End 1 freeze",
        "facts": [*context["facts"], ("After", "stages may be raised again, by plans too")],
        "why_not": "" if holds else "Nothing is frozen: there is nothing to end.",
    }
    form = ActForm(asking.sent(request))
    actor = asking.actor_of(request)

    def do() -> int:
        freezing.thaw(actor, key, reason=form.why)
        return 0

    return _answer(request, form, do, context, said=f"No longer frozen: {what}.")


def _answer(
    request: HttpRequest,
    form: Any,
    do: Callable[[], int],
    context: dict[str, Any],
    *,
    said: str,
) -> HttpResponse:
    if request.method != "POST":
        return asking.show(request, form, context, template=TEMPLATE)
    status, _ = asking.attempt(form, do)
    if status == asking.DONE:
        return asking.done(request, said, 0, context["back"])
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _context(key: str) -> dict[str, Any]:
    flag = row(key) if key else None
    holds = freezing.standing(key, clock.now())
    return {
        "section": "flags",
        "flag": flag,
        "what": key or f"all {figures.count(Flag.objects.count())} flags",
        "facts": [("Now", _words(holds))],
        "back": reverse("flag", args=[key]) if key else reverse("flags"),
    }


def _words(holds: Freeze | None) -> str:
    if holds is None:
        return "not frozen"
    return f"frozen until {holds.until:%Y-%m-%d %H:%M} UTC by {holds.actor}: {holds.reason}"


def _waiting(key: str) -> str:
    """Plans that a freeze makes fail at their next step."""
    flags = Flag.objects.filter(plans__state="waiting").distinct()
    number = (flags.filter(pk=key) if key else flags).count()
    if not number:
        return "no plan waits"
    return f"{number} plan{'' if number == 1 else 's'}: a step up that falls due is refused"
