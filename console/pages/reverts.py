"""Taking a change of an operator back, which is a change too."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from console import controls
from console.access.models import AuditEntry
from console.access.roles import requires
from console.controls.layers import Layers
from console.pages import asking, history
from console.pages.act_forms import RevertForm
from console.pages.breaker_acts import ask_or_do


@ask_or_do
@requires("operator")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry, pk=pk)
    shown = history.entry_of(entry, newest=True)
    # As of now: what had an end may be past it, and others may have been faster.
    wanted = controls.desired(entry.kind, entry.target)
    now_is = history.wanted_words(wanted)
    layers = Layers.from_json(entry.before, timezone.now())
    would_be = history.words(layers.as_json())
    forces_open = layers.mode == "forced_open"
    stands = shown.reversible and wanted.revision == entry.revision
    form = RevertForm(asking.sent(request), initial={"reason": ""})
    context = {
        "section": "breakers" if entry.kind == "breaker" else "caches",
        "what": "revert",
        "entry": shown,
        "now_is": now_is,
        "would_be": would_be,
        "why_not": "" if stands and now_is != would_be else _why_not(shown, stands=stands),
        "target": shown.what,
        "title": f"Take back what {entry.actor} did to {shown.what}?",
        "button": "Take back 1 change",
        "confirm": entry.target if forces_open else "",
        "danger": forces_open,
        "back": shown.href,
    }
    if request.method != "POST":
        return asking.show(request, form, context)
    actor = asking.actor_of(request)

    def act() -> int:
        given = form.cleaned_data["confirm"]
        return controls.revert(actor, entry, reason=form.why, confirm=given).revision

    status, revision = asking.attempt(form, act)
    if status == asking.DONE:
        said = f"What {entry.actor} did to {shown.what} is taken back."
        return asking.done(request, said, revision, shown.href)
    return asking.show(request, form, context, status=status)


def _why_not(entry: history.Entry, *, stands: bool) -> str:
    if not entry.reversible:
        return "It is done once: there is nothing to take back."
    if not stands:
        return "Somebody changed this again since: take that back first."
    return "It has ended by itself: there is nothing left to take back."
