"""Taking a change of an operator back, which is a change too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone

from console import controls
from console.access.models import AuditEntry
from console.access.roles import requires
from console.controls import node_reverts
from console.controls.layers import Layers
from console.flags import reverting as flag_reverts
from console.flags import telling
from console.pages import asking, history
from console.pages.act_forms import RevertForm
from console.pages.breaker_acts import ask_or_do
from validation.models import ControlKind

_SECTIONS = {
    ControlKind.BREAKER.value: "breakers",
    ControlKind.NODES.value: "nodes",
    ControlKind.FLAGS.value: "flags",
}


@ask_or_do
@requires("operator")
def show(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry, pk=pk)
    shown = history.entry_of(entry, newest=True)
    held = _HELD.get(entry.kind, _of_layers)(entry)
    stands = shown.reversible and held.stands
    form = RevertForm(asking.sent(request), initial={"reason": ""})
    context = {
        "section": _SECTIONS.get(entry.kind, "caches"),
        "what": "revert",
        "entry": shown,
        "now_is": held.now_is,
        "would_be": held.would_be,
        "why_not": "" if stands and held.differs else _why_not(shown, stands=stands),
        "target": shown.what,
        "title": f"Take back what {entry.actor} did to {shown.what}?",
        "button": "Take back 1 change",
        "confirm": entry.target if held.stops else "",
        "danger": held.stops,
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Held:
    """What is so, and what would be. `stops`: calls or runs, so that its name is asked for."""

    now_is: str
    would_be: str
    stands: bool
    stops: bool

    @property
    def differs(self) -> bool:
        return self.now_is != self.would_be


def _of_layers(entry: AuditEntry) -> _Held:
    """As of now: what had an end may be past it, and others may have been faster."""
    wanted = controls.desired(entry.kind, entry.target)
    layers = Layers.from_json(entry.before, timezone.now())
    return _Held(
        now_is=history.wanted_words(wanted),
        would_be=history.words(layers.as_json()),
        stands=wanted.revision == entry.revision,
        stops=layers.mode == "forced_open",
    )


def _of_nodes(entry: AuditEntry) -> _Held:
    return _Held(
        now_is=history.node_words(node_reverts.standing(entry.target)),
        would_be=history.node_words(entry.before),
        stands=node_reverts.stands(entry),
        stops=node_reverts.leaves_none(entry),
    )


def _of_flags(entry: AuditEntry) -> _Held:
    """What the change made of it still holds, or it stands no more."""
    before, after = telling.both(entry)
    return _Held(
        now_is=after,
        would_be=before,
        stands=flag_reverts.stands(entry),
        stops=False,
    )


_HELD: Mapping[str, Callable[[AuditEntry], _Held]] = {
    ControlKind.NODES.value: _of_nodes,
    ControlKind.FLAGS.value: _of_flags,
}


def _why_not(entry: history.Entry, *, stands: bool) -> str:
    if not entry.reversible:
        return controls.why_never(entry.row)
    if not stands:
        return "Somebody changed this again since: take that back first."
    return "It has ended by itself: there is nothing left to take back."
