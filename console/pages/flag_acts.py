"""What an operator does to one flag: move its stage, roll back, plan, switch it on or off."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access.roles import Role, requires, role_of
from console.controls import Actor, ControlError
from console.flags import acts, bounds, clock, plans, reading
from console.flags.changing import order_of
from console.flags.models import Flag
from console.flags.reading import FlagView, Preview, Step
from console.flags.standing import Standing
from console.pages import asking, figures, optimisation_ways
from console.pages.act_forms import ActForm
from console.pages.flag_forms import PlanForm, StageForm
from console.rehearsals import possible

TEMPLATE = "console/confirm_flag.html"
type Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a dialog shows beside its fields."""

    facts: Facts
    button: str
    why_not: str = ""
    # The variants that ask for a drill first.
    lack_drills: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act on one flag: its words, its form, what the dialog shows, and what does it."""

    title: str
    said: str
    form: Callable[[HttpRequest, Flag], Any]
    ask: Callable[[Flag, Any], Asked]
    do: Callable[[Actor, str, Any], Flag]
    danger: bool = False


def _stage_form(request: HttpRequest, flag: Flag) -> StageForm:
    may = role_of(request.user) is Role.ADMIN
    return StageForm(asking.sent(request), flag=flag, asked=request.GET, may_go_without=may)


def _ask_stage(flag: Flag, form: StageForm) -> Asked:
    chosen = form.chosen()
    stage, without = chosen.pop("stage"), chosen.pop("unrehearsed")
    if stage is None:  # what was typed is no number, and the field says so
        return Asked(facts=[], button="Set the stage")
    try:
        seen = reading.preview(flag.key, stage=stage, needs_drill=not without, **chosen)
    except ControlError as error:
        return Asked(facts=[], button="Set the stage", why_not="" if form.is_bound else str(error))
    button = f"Set to {stage}{figures.THIN}%: {seen.reach.text}"
    facts, lacking = _facts(seen), seen.lack_drills
    if lacking and without:
        said = f"you go without one of {', '.join(lacking)}, and the audit trail says so"
        facts.append(("Drill", said))
        lacking = ()
    return Asked(facts=facts, button=button, why_not=seen.why_not, lack_drills=lacking)


def _ask_roll_back(flag: Flag, _: ActForm) -> Asked:
    seen = reading.preview(flag.key, stage=0, rest=flag.baseline)
    where = f" on {figures.count(n)} {_processes(n)}" if (n := seen.reach.processes) else ""
    return Asked(facts=_facts(seen), button=f"Roll back{where}", why_not=seen.why_not)


def _facts(seen: Preview) -> Facts:
    """Before → after, whom it reaches, and what comes with it."""
    found = [("Now", seen.now_is), ("After", seen.would_be), ("Reaches", seen.reach.text)]
    rates = reading.per_minute(seen.key)
    if rates is not None:
        asked = figures.count(round(sum(rates.values())))
        found.append(("Asked for", f"{asked} times a minute, by all together"))
    if seen.raises and seen.baked_s < seen.to_bake_s:
        baked, whole = figures.duration(seen.baked_s), figures.duration(seen.to_bake_s)
        found.append(("Baked", f"{baked} of {whole}: a plan would wait, you need not"))
    if seen.rehearsed:
        found.append(("Way back", seen.rehearsed))
    if seen.ends_steps:
        steps = f"{seen.ends_steps} step{'' if seen.ends_steps == 1 else 's'}"
        found.append(("Ends", f"the plan: {steps} that wait{'s' * (seen.ends_steps == 1)}"))
    if seen.holds_back:
        found.append(("Holds back", ", ".join(seen.holds_back)))
    return found


def _ask_switch(flag: Flag, _: ActForm) -> Asked:
    stands = reading.flag(flag.key)
    after = "on, as it stands" if not flag.enabled else "off: whoever asks gets its own default"
    facts = [("Now", stands.words), ("After", after), ("Reaches", _everybody(stands))]
    why_not = ""
    if not flag.enabled and stands.frost is not None:
        why_not = f"Frozen until {stands.frost.until:%Y-%m-%d %H:%M} UTC: {stands.frost.reason}"
    return Asked(facts=facts, button=f"Switch 1 flag {_ON[not flag.enabled]}", why_not=why_not)


def _plan_form(request: HttpRequest, flag: Flag) -> PlanForm:
    return PlanForm(asking.sent(request), flag=flag, baked_at=plans.baked_at(flag))


def _ask_plan(flag: Flag, form: PlanForm) -> Asked:
    stands = reading.flag(flag.key)
    facts = [("Now", stands.words), ("Reaches", f"in the end {_everybody(stands)}")]
    if waiting := _waiting(stands):
        facts.append(("Replaces", f"{len(waiting)} steps that {waiting[0].actor} planned"))
    if stands.to_bake_s > stands.baked_s:
        left = figures.duration(stands.to_bake_s - stands.baked_s)
        facts.append(("Bakes", f"{stands.stage} % for {left} more: no step may come before"))
    why_not = stands.why_not or ("" if form.stages else "It stands at 100 %: nothing is above it.")
    lacking: tuple[str, ...] = ()
    if not why_not:
        seen = reading.preview(flag.key, stage=form.stages[-1])
        lacking, why_not = seen.lack_drills, seen.why_not if seen.lack_drills else ""
    return Asked(facts=facts, button="Plan these stages", why_not=why_not, lack_drills=lacking)


def _ask_cancel(flag: Flag, _: ActForm) -> Asked:
    stands = reading.flag(flag.key)
    waiting = _waiting(stands)
    said = ", ".join(f"{step.stage} % at {step.at:%H:%M:%S}" for step in waiting)
    facts = [("Planned", said or "nothing"), ("After", f"{stands.words}, and stays so")]
    button = f"Cancel {len(waiting)} step{'' if len(waiting) == 1 else 's'}"
    return Asked(facts=facts, button=button, why_not="" if waiting else "No plan waits.")


def _everybody(stands: FlagView) -> str:
    number = stands.reach.processes
    known = f"{figures.count(number)} {_processes(number)}" if number else "who asks for it"
    return f"all of {known}" if number else known


def _waiting(stands: FlagView) -> list[Step]:
    return [step for step in stands.plan if step.state == "waiting"]


def _processes(number: int) -> str:
    return "process" if number == 1 else "processes"


_ON = {True: "on", False: "off"}


def _plain(request: HttpRequest, flag: Flag) -> ActForm:
    return ActForm(asking.sent(request), initial={"revision": flag.revision})


def _set_stage(actor: Actor, key: str, form: StageForm) -> Flag:
    return acts.set_stage(actor, key, **form.chosen(), reason=form.why, based_on=form.based_on)


def _roll_back(actor: Actor, key: str, form: ActForm) -> Flag:
    return acts.roll_back(actor, key, reason=form.why, based_on=form.based_on)


def _enable(actor: Actor, key: str, form: ActForm) -> Flag:
    return acts.enable(actor, key, reason=form.why, based_on=form.based_on)


def _disable(actor: Actor, key: str, form: ActForm) -> Flag:
    return acts.disable(actor, key, reason=form.why, based_on=form.based_on)


def _plan(actor: Actor, key: str, form: PlanForm) -> Flag:
    steps = form.steps(clock.now())
    return plans.plan(actor, key, steps, reason=form.why, based_on=form.based_on)


def _cancel(actor: Actor, key: str, form: ActForm) -> Flag:
    return plans.cancel(actor, key, reason=form.why, based_on=form.based_on)


ACTS: dict[str, Act] = {
    "stage": Act(
        title="Move {key}?",
        said="{key} is {words}.",
        form=_stage_form,
        ask=_ask_stage,
        do=_set_stage,
    ),
    "roll-back": Act(
        title="Roll {key} back?",
        said="{key} is rolled back: {words} on all.",
        form=_plain,
        ask=_ask_roll_back,
        do=_roll_back,
    ),
    "plan": Act(
        title="Let {key} ramp by itself?",
        said="{key} ramps by itself from now on.",
        form=_plan_form,
        ask=_ask_plan,
        do=_plan,
    ),
    "cancel-plan": Act(
        title="Cancel the plan of {key}?",
        said="The plan of {key} is cancelled; it stays {words}.",
        form=_plain,
        ask=_ask_cancel,
        do=_cancel,
    ),
    "enable": Act(
        title="Switch {key} on?",
        said="{key} is on again: {words}.",
        form=_plain,
        ask=_ask_switch,
        do=_enable,
    ),
    "disable": Act(
        title="Switch {key} off?",
        said="{key} is off: whoever asks gets its own default.",
        form=_plain,
        ask=_ask_switch,
        do=_disable,
        danger=True,
    ),
}
_ADMIN_ONLY = frozenset({"enable", "disable"})


def act(request: HttpRequest, key: str, what: str) -> HttpResponseBase:
    """Its role depends on the act: the decorators say which."""
    return (_as_admin if what in _ADMIN_ONLY else _as_operator)(request, key, what)


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def _as_operator(request: HttpRequest, key: str, what: str) -> HttpResponse:
    return _act(request, key, ACTS[what])


@require_http_methods(["GET", "HEAD", "POST"])
@requires("admin")
def _as_admin(request: HttpRequest, key: str, what: str) -> HttpResponse:
    return _act(request, key, ACTS[what])


def _act(request: HttpRequest, key: str, asked: Act) -> HttpResponse:
    flag = row(key)
    form, actor = asked.form(request, flag), asking.actor_of(request)
    if request.method != "POST":
        context = _context(flag, asked, form)
        context |= _ways(request, key) | _past_drill(request, key, form, context["lacks_drill"])
        return asking.show(request, form, context, template=TEMPLATE)
    made: list[Flag] = []

    def do() -> int:
        made.append(asked.do(actor, key, form))
        return made[0].revision

    status, revision = asking.attempt(form, do, current=order_of(flag))
    if status == asking.DONE:
        said = asked.said.format(key=key, words=Standing.of(made[0]).words)
        return asking.done(request, said, revision, optimisation_ways.back_of(request, key))
    if status == asking.CONFLICT:
        flag = row(key)
    context = _context(flag, asked, form)
    context["revision"] = asking.revision_shown(form, order_of(flag), status)
    context |= _ways(request, key) | _past_drill(request, key, form, context["lacks_drill"])
    return asking.show(request, form, context, status=status, template=TEMPLATE)


def _ways(request: HttpRequest, key: str) -> dict[str, Any]:
    return {
        "back": optimisation_ways.back_of(request, key),
        "action": optimisation_ways.action_of(request),
    }


def _past_drill(request: HttpRequest, key: str, form: Any, lacks: str) -> dict[str, str]:
    """To the drill that comes first, and past it."""
    if not lacks:
        return {}
    ways = {}
    if not possible.why_not(key):
        address = reverse("flag-rehearse", args=[key])
        ways["rehearse"] = optimisation_ways.asking_for(request, address, target=lacks)
    if isinstance(form, StageForm) and (asked := form.without_drill()):
        ways["without"] = optimisation_ways.asking_for(request, request.path, **asked)
    return ways


def row(key: str) -> Flag:
    found = Flag.objects.filter(pk=key).first()
    if found is None:
        raise Http404(f"There is no flag {key[:160]!r}: /flags/ lists them.")
    return found


def _context(flag: Flag, asked: Act, form: Any) -> dict[str, Any]:
    seen = asked.ask(flag, form)
    return {
        "section": "flags",
        "flag": flag,
        "title": asked.title.format(key=flag.key),
        "facts": seen.facts,
        "button": seen.button,
        "why_not": seen.why_not,
        "lacks_drill": next(iter(seen.lack_drills), ""),
        "danger": asked.danger,
        "stages": bounds.STAGES,
        "revision": flag.revision,
    }
