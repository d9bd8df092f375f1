"""Acts on a flag's guarded rollout: ramp, promote, hold, resume, abort; and its drill."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access.roles import requires
from console.controls import Actor, Conflict, Order
from console.flags.models import Flag
from console.flags.standing import Standing
from console.pages import asking, figures, optimisation_ways, rollout_preview
from console.pages.act_forms import ActForm
from console.pages.flag_acts import row as flag_row
from console.pages.optimisation_rollout import drill_of
from console.pages.rollout_forms import RampForm, TargetForm
from console.pages.rollout_preview import Asked
from console.rehearsals import possible
from console.rehearsals import running as rehearsing
from console.rehearsals import tasks as rehearsal_tasks
from console.rollouts import acts, automation, beginning, seen
from console.rollouts.errors import Stale
from console.rollouts.models import KIND, Rollout
from console.rollouts.seen import RolloutSeen

TEMPLATE: Final = "console/confirm_rollout.html"
_NO_REVISION = -1
_SHOWS: Final = (
    "how soon the baseline is back, whether it reads what the target wrote, and that no item is "
    "lost"
)

ask_or_do = require_http_methods(["GET", "HEAD", "POST"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """On a rollout that is under way: its words, and what does it."""

    title: str
    said: str
    do: Callable[..., Rollout]
    after: Callable[[RolloutSeen], str]
    danger: bool = False


def _promoted(found: RolloutSeen) -> str:
    return f"{found.next_stage} % at once, whatever its bake and its guards say"


def _held(found: RolloutSeen) -> str:
    return f"stays at {found.stage} % until it is resumed; its guards are watched all the same"


def _resumed(found: RolloutSeen) -> str:
    return f"goes on from {found.stage} %, which bakes anew"


def _aborted(found: RolloutSeen) -> str:
    return f"{found.rest} on all, at once; this rollout is over"


ACTS: Final[Mapping[str, Act]] = {
    "promote": Act(
        title="Promote the rollout of {flag}?",
        said="The rollout of {flag} is promoted to {stage} %.",
        do=acts.promote,
        after=_promoted,
    ),
    "hold": Act(
        title="Hold the rollout of {flag}?",
        said="The rollout of {flag} is held at {stage} %.",
        do=acts.hold,
        after=_held,
    ),
    "resume": Act(
        title="Let the rollout of {flag} go on?",
        said="The rollout of {flag} goes on from {stage} %.",
        do=acts.resume,
        after=_resumed,
    ),
    "abort": Act(
        title="Abort the rollout of {flag}?",
        said="The rollout of {flag} is aborted: {rest} on all.",
        do=acts.abort,
        after=_aborted,
        danger=True,
    ),
}


@ask_or_do
@requires("operator")
def ramp(request: HttpRequest, key: str) -> HttpResponse:
    """Begins a guarded rollout."""
    flag, actor = flag_row(key), asking.actor_of(request)
    named = request.GET.get("optimisation", "")
    form = RampForm(
        asking.sent(request),
        flag=flag,
        asked=request.GET,
        target=rollout_preview.target_of(flag, named),
        gates=rollout_preview.gates_of(key),
    )
    status = 200
    if request.method == "POST":

        def do() -> int:
            beginning.start(
                actor,
                key,
                form.wanted_target,
                reason=form.why,
                based_on=form.based_on,
                **form.wanted(),
            )
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            said = f"The guarded rollout of {key} to {form.wanted_target} has begun."
            return _done(request, key, said)
        if status == asking.CONFLICT:
            flag = flag_row(key)
    told = rollout_preview.of_ramp(flag, form)
    context = _context(request, flag, f"Ramp {key} under guards?", told)
    context["revision"] = flag.revision if status == asking.CONFLICT else form["revision"].value()
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@ask_or_do
@requires("operator")
def act(request: HttpRequest, key: str, what: str) -> HttpResponse:
    flag, actor, asked = flag_row(key), asking.actor_of(request), ACTS[what]
    found, status = seen.of(key), 200
    number = found.revision if found else 0
    form = ActForm(asking.sent(request), initial={"revision": number})
    if request.method == "POST" and found is not None:
        made: list[Rollout] = []
        rollout = found.id

        def do() -> int:
            made.append(_do(asked, actor, rollout, form))
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            row = made[0]
            said = asked.said.format(flag=key, stage=row.stage, rest=row.rest)
            return _done(request, key, said)
        found = seen.of(key)
    context = _context(request, flag, asked.title.format(flag=key), _told(found, what))
    context |= {"danger": asked.danger, "revision": _shown(form, found, status)}
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@ask_or_do
@requires("operator")
def rehearse(request: HttpRequest, key: str) -> HttpResponse:
    """A drill by itself, without a rollout after it."""
    flag, actor, status = flag_row(key), asking.actor_of(request), 200
    target = rollout_preview.target_of(flag, request.GET.get("optimisation", ""))
    form = TargetForm(asking.sent(request), flag=flag, asked=request.GET, target=target)
    if request.method == "POST":

        def do() -> int:
            made = rehearsing.make(key, form.wanted_target, actor, reason=form.why)
            rehearsal_tasks.ring(made.pk)
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            said = f"A drill of {key} to {form.wanted_target} and back waits for a worker."
            return _done(request, key, said)
    drill = drill_of(key, form.wanted_target)
    way = f"{flag.baseline} → {form.wanted_target} → {flag.baseline}"
    told = Asked(
        facts=[
            ("Now", drill.found.words if drill.found else "not rehearsed"),
            ("After", f"{way} under load, beside the fleet, which has it as before"),
            ("Shows", _SHOWS),
        ],
        button="Rehearse it",
        why_not=possible.why_not(key),
    )
    context = _context(request, flag, f"Rehearse the way back of {key}?", told)
    return asking.show(request, form, context, status=status, template=TEMPLATE)


@ask_or_do
@requires("operator")
def go_on(request: HttpRequest) -> HttpResponse:
    """Lets rollouts go on by themselves again."""
    form, status = ActForm(asking.sent(request)), 200
    if request.method == "POST":
        actor = asking.actor_of(request)

        def do() -> int:
            automation.go_on(actor, reason=form.why)
            return _NO_REVISION

        status, _ = asking.attempt(form, do)
        if status == asking.DONE:
            said = "Rollouts go on by themselves. Those that were stopped wait until resumed."
            return asking.done(request, said, _NO_REVISION, reverse("flags"))
    stands = seen.automation()
    after = "none is begun by this: each that was stopped is resumed by hand"
    context = {
        "section": "flags",
        "title": "Let rollouts go on by themselves?",
        "facts": [("Now", stands.why or "they go on by themselves"), ("After", after)],
        "button": "Let rollouts go on",
        "why_not": "" if stands.is_stopped else "They go on already.",
        "back": reverse("flags"),
    }
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _do(asked: Act, actor: Actor, pk: int, form: ActForm) -> Rollout:
    """Raises ControlError; of who was faster, Conflict as every act does."""
    try:
        return asked.do(actor, pk, reason=form.why, revision=form.based_on)
    except Stale as exc:
        raise Conflict(str(exc), Order(kind=KIND, name=str(pk), revision=exc.revision)) from exc


def _told(found: RolloutSeen | None, what: str) -> Asked:
    if found is None:
        return Asked(facts=[], button=what.capitalize(), why_not="It has no rollout.")
    facts = [("Now", f"{found.state.replace('_', ' ')} at {found.stage} %. {found.why}".strip())]
    why_not = ""
    if what not in found.acts:
        why_not = f"Nothing to {what}: it is {found.state.replace('_', ' ')}."
    else:
        facts.append(("After", ACTS[what].after(found)))
    if found.guards:
        facts.append(("Guards", "; ".join(guard.words for guard in found.guards)))
    stage = f" to {found.next_stage}{figures.THIN}%" if what == "promote" else ""
    return Asked(facts=facts, button=f"{what.capitalize()}{stage}", why_not=why_not)


def _shown(form: ActForm, found: RolloutSeen | None, status: int) -> object:
    """The revision that the person saw, until a conflict has told of another."""
    if status == asking.CONFLICT or not form.is_bound:
        return found.revision if found else None
    return form["revision"].value()


def _context(request: HttpRequest, flag: Flag, title: str, told: Asked) -> dict[str, Any]:
    return {
        "section": "flags",
        "flag": flag,
        "title": title,
        "words": Standing.of(flag).words,
        "facts": told.facts,
        "button": told.button,
        "why_not": told.why_not,
        "danger": False,
        "back": optimisation_ways.back_of(request, flag.key),
        "action": optimisation_ways.action_of(request),
    }


def _done(request: HttpRequest, key: str, said: str) -> HttpResponse:
    return asking.done(request, said, _NO_REVISION, optimisation_ways.back_of(request, key))
