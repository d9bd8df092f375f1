"""What an operator does to a breaker: force it, tune it, reset it, leave it to itself again."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console import controls, fleetview
from console.access.roles import Role, requires
from console.controls import Actor, Order
from console.fleetview import FleetBreaker
from console.pages import asking, breaker, figures, history
from console.pages.act_forms import ActForm, ConfirmedForm, EndingForm, TuneForm
from console.pages.breakers import counted
from console.pages.states import BREAKERS, State

ask_or_do = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act: its words, and what does it."""

    title: str
    # What the button does, before "on 6 workers".
    button: str
    effect: str
    said: str
    form: type[ActForm]
    do: Callable[[Actor, str, Any], Order]
    mode: str = ""
    danger: bool = False

    @property
    def state(self) -> State | None:
        """What will be in force; None: what each process computes."""
        return BREAKERS.get(self.mode)


def _override(mode: str) -> Callable[[Actor, str, EndingForm], Order]:
    def do(actor: Actor, name: str, form: EndingForm) -> Order:
        return controls.override_breaker(
            actor,
            name,
            mode,
            reason=form.why,
            for_s=form.cleaned_data["for_s"],
            based_on=form.based_on,
            confirm=form.cleaned_data.get("confirm", ""),
        )

    return do


def _release(actor: Actor, name: str, form: ActForm) -> Order:
    return controls.release_breaker(actor, name, reason=form.why, based_on=form.based_on)


def _reset(actor: Actor, name: str, form: ActForm) -> Order:
    return controls.reset_breaker(actor, name, reason=form.why, based_on=form.based_on)


def _tune(actor: Actor, name: str, form: TuneForm) -> Order:
    return controls.tune_breaker(
        actor,
        name,
        form.settings,
        reason=form.why,
        for_s=form.cleaned_data["for_s"],
        based_on=form.based_on,
    )


ACTS: dict[str, Act] = {
    "open": Act(
        title="Force {name} open?",
        button="Force open",
        effect="No call passes. Calls go to other nodes where one admits them; else they wait, and "
        "runs are held back, for an hour at most, and then end as breaker_open.",
        said="{name} is forced open: no call passes a worker that has acknowledged it.",
        form=ConfirmedForm,
        do=_override("forced_open"),
        mode="forced_open",
        danger=True,
    ),
    "close": Act(
        title="Force {name} closed?",
        button="Force closed",
        effect="Every call passes, whatever fails: nothing protects the node or the queue.",
        said="{name} is forced closed: every call passes.",
        form=EndingForm,
        do=_override("forced_closed"),
        mode="forced_closed",
        danger=True,
    ),
    "metrics-only": Act(
        title="Let {name} only measure?",
        button="Only measure",
        effect="Every call passes; what it would do is still computed and shown.",
        said="{name} only measures now.",
        form=EndingForm,
        do=_override("metrics_only"),
        mode="metrics_only",
    ),
    "disable": Act(
        title="Disable {name}?",
        button="Disable",
        effect="Every call passes and nothing is counted: this page shows nothing of it meanwhile.",
        said="{name} is disabled.",
        form=EndingForm,
        do=_override("disabled"),
        mode="disabled",
        danger=True,
    ),
    "auto": Act(
        title="Leave {name} to itself?",
        button="Back to auto",
        effect="Each worker goes by what it computes. Thresholds that an admin made lasting stay.",
        said="{name} is left to itself again.",
        form=ActForm,
        do=_release,
    ),
    "reset": Act(
        title="Reset {name}?",
        button="Reset",
        effect="Each process starts it afresh: closed, with an empty window. What is forced stays "
        "forced. It cannot be taken back.",
        said="{name} starts afresh in each process.",
        form=ActForm,
        do=_reset,
    ),
    "tune": Act(
        title="Tune {name}?",
        button="Tune",
        effect="These stand in place of what was tuned for a time before; an empty one is as it "
        "lasts, else as configured.",
        said="{name} goes by its new thresholds.",
        form=TuneForm,
        do=_tune,
    ),
}


@ask_or_do
@requires("operator")
def act(request: HttpRequest, name: str, what: str) -> HttpResponse:
    found = breaker.find(name, fleetview.look())
    asked, actor = ACTS[what], asking.actor_of(request)
    form = _form(asked, request, found, actor.role)
    if request.method != "POST":
        return asking.show(request, form, _context(what, found))
    status, revision = asking.attempt(
        form, lambda: asked.do(actor, name, form).revision, current=found.desired
    )
    if status == asking.DONE:
        url = reverse("breaker", args=[name])
        return asking.done(request, asked.said.format(name=name), revision, url)
    if status == asking.CONFLICT:
        found = breaker.find(name, fleetview.look())
    context = _context(what, found)
    context["revision"] = asking.revision_shown(form, found.desired, status)
    return asking.show(request, form, context, status=status)


def _form(asked: Act, request: HttpRequest, found: FleetBreaker, role: Role) -> Any:
    if asked.form is TuneForm:
        return TuneForm(
            asking.sent(request),
            role=role,
            lasts=asking.wants_lasting(request),
            wanted=found.desired,
            in_force=in_force(found),
        )
    return asked.form(asking.sent(request), initial={"revision": found.desired.revision})


def in_force(found: FleetBreaker) -> dict[str, float]:
    """Thresholds as most workers have them."""
    return {s.name: s.values[0][0] for s in breaker.settings_of(found) if s.values}


def _context(what: str, found: FleetBreaker) -> dict[str, Any]:
    asked, workers = ACTS[what], found.workers
    on = f" on {figures.count(workers)} worker{'' if workers == 1 else 's'}" if workers else ""
    wanted = found.desired
    return {
        "section": "breakers",
        "act": asked,
        "what": what,
        "found": found,
        "target": found.name,
        "revision": wanted.revision,
        "title": asked.title.format(name=found.name),
        "button": f"{asked.button}{on}",
        "before": counted(found.by_state),
        "wanted": wanted,
        "wanted_words": history.wanted_words(wanted),
        "calls_a_minute": breaker.calls_a_minute(found),
        "back": reverse("breaker", args=[found.name]),
        "confirm": found.name if asked.form is ConfirmedForm else "",
    }
