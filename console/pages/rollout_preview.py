"""What a guarded rollout would do and whether it may begin, before anybody says so."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from console.controls import ControlError
from console.flags import reading
from console.flags.models import Flag
from console.flags.seen import Preview
from console.flags.standing import Standing
from console.pages import figures
from console.pages.rollout_forms import RampForm
from console.rehearsals import possible
from console.rehearsals import standing as rehearsals
from console.roadmap import decisions
from console.roadmap.gates import standing as gates
from console.roadmap.gates.judged import Judged
from console.roadmap.programmes import roadmap
from console.rollouts import bounds, measurable, seen

_TAKEN_BACK: Final = (
    "by itself, within 10 s of data that break a guard twice in a row, and where a new stage is "
    "not measured"
)

# More of a bake's seconds than any bake may have; the act refuses what is longer.
_MOST_DIGITS: Final = 9

type Facts = list[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a dialog shows beside its fields."""

    facts: Facts
    button: str
    why_not: str = ""


def target_of(flag: Flag, optimisation: str) -> str:
    """The variant that a form begins with: of those that the source asks for the flag's own, else
    the first; never what all have already, where there is another.
    """
    planned = roadmap().planned.get(optimisation)
    asked = tuple(planned.variants.get(flag.key, ())) if planned else ()
    others = tuple(name for name in flag.variants if name != flag.baseline)
    wanted = [name for name in asked if name in flag.variants] or list(others)
    left = [name for name in wanted if name != Standing.of(flag).everyone] or wanted
    return flag.target if flag.target in left else next(iter(left), "")


def gates_of(flag: str) -> tuple[Judged, ...]:
    """Those that name one of its optimisations, and can be judged here."""
    names = {row.id for row in decisions.of_flag(flag)}
    return tuple(
        each
        for each in gates.judge_all()
        if names & set(each.optimisations) and each.state != "not_measurable"
    )


def of_ramp(flag: Flag, form: RampForm) -> Asked:
    """Nothing is said of what cannot be read yet: the fields say what is wrong."""
    button, target = "Begin the rollout", form.wanted_target
    try:
        stages = bounds.stages_of(form.stage_list, _above(flag))
        # It begins with a drill of its own.
        preview = reading.preview(
            flag.key, stage=stages[0], target=target, rest=_rest(flag), needs_drill=False
        )
    except ControlError as error:
        return Asked(facts=[], button=button, why_not="" if form.is_bound else str(error))
    facts: Facts = [
        ("Now", preview.now_is),
        ("First", preview.would_be),
        ("Reaches", preview.reach.text),
        ("Then", _then(stages, _number(form["bake_s"].value()))),
        ("Drill", _drill(flag, target)),
        ("Taken back", _TAKEN_BACK),
    ]
    if preview.ends_steps:
        facts.append(("Ends", f"the plan: {preview.ends_steps} steps that wait"))
    why_not = next(_refusals(flag, target, stages, preview), "")
    return Asked(facts=facts, button=f"{button}: {stages[0]}{figures.THIN}% first", why_not=why_not)


def _refusals(flag: Flag, target: str, stages: tuple[int, ...], preview: Preview) -> Iterator[str]:
    """What the act would say no to, the first that it would."""
    stands = seen.automation()
    if stands.is_stopped:
        yield stands.why
    if unmeasured := _unmeasured(flag, stages):
        yield unmeasured
    if Standing.of(flag).everyone == target:
        yield f"All have {target} already: choose another target."
    others = seen.all_of_them()
    for other in others:
        if other.is_active and other.flag == flag.key:
            yield f"Rollout {other.id} of {flag.key} is under way already."
        elif other.is_active and flag.layer and other.layer == flag.layer:
            yield f"Rollout {other.id} of {other.flag} is under way in the same layer."
    last = next((one for one in others if one.flag == flag.key), None)
    if last and last.cooling_until and last.cooling_until > last.now:
        until = f"{last.cooling_until:%H:%M:%S} UTC"
        yield f"It was taken back and cools down until {until}. {last.why}"
    if why_not := _no_way_back(flag, target) or preview.why_not:
        yield why_not


def _unmeasured(flag: Flag, stages: tuple[int, ...]) -> str:
    try:
        measurable.refuse(flag, str(flag.unit))
        measurable.refuse_without_rest(flag, str(flag.unit), *stages)
    except ControlError as error:
        return str(error)
    return ""


def _no_way_back(flag: Flag, target: str) -> str:
    drill = rehearsals.of(flag.key, target)
    if drill is not None and drill.is_one_way:
        return f"It cannot be taken back: {drill.words}"
    return "" if target == flag.baseline else possible.why_not(flag.key)


def _then(stages: tuple[int, ...], bake_s: int | None) -> str:
    if bake_s is None:
        return "no bake is given"
    bake, least = figures.duration(bake_s), figures.duration(bake_s * len(stages))
    further = ", ".join(f"{stage}{figures.THIN}%" for stage in stages[1:])
    if not further:
        return f"nothing more: it is on all once {bake} have baked"
    return f"{further}, each after {bake} in which all guards held: {least} at least in all"


def _drill(flag: Flag, target: str) -> str:
    if target == flag.baseline:
        return "none: it is the baseline"
    found = rehearsals.of(flag.key, target)
    if found is not None and found.is_fresh:
        return found.words
    before = f" ({found.words})" if found is not None else ""
    return f"comes first, by itself{before}: there and back under load, beside the fleet"


def _above(flag: Flag) -> int:
    """Percent that stages are to be above."""
    return 0 if Standing.of(flag).everyone is not None else flag.stage


def _rest(flag: Flag) -> str:
    """Units outside keep what all have now."""
    whole = Standing.of(flag).everyone
    return flag.rest if whole is None else whole


def _number(value: object) -> int | None:
    text = str(value)
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else None
