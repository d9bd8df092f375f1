"""From facts to a verdict of each gate: pure. What is not known is never a pass."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from operator import eq, ge, gt, le, lt
from typing import Final

from console.roadmap.gates.facts import Facts, Fired, Point
from console.roadmap.gates.judged import State
from console.roadmap.gates.reckoning import Reckoned
from console.roadmap.gates.rows import (
    ByAlerts,
    ByBuilt,
    ByDrills,
    ByEvidence,
    ByLevel,
    ByLimits,
    ByMeasure,
    ByNothing,
    ByTest,
    Measure,
    Sign,
    Way,
)

_SIGNS: Final = {"<": lt, "<=": le, "=": eq, ">=": ge, ">": gt}
_LESS: Final = frozenset({"<", "<="})
_NAMED: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A verdict, and what it rests on."""

    state: State
    why: str
    value: float | None = None
    wanted: str = ""
    unit: str = ""
    window_s: float = 0.0
    samples: int = 0
    least: int = 0
    link: str = ""


# A flag, and its variants that are what a source asks for, or better; none: any.
type Steered = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the files say beside the gate: all measures, the flags that a phase's optimisations
    have with the variants of each that are asked for, and what is built.
    """

    measures: Mapping[str, Measure]
    flags: Mapping[str, Sequence[Steered]]
    built: frozenset[str]


def judge(by: Way, phase: str, facts: Facts, known: Known) -> Found:
    match by:
        case ByMeasure():
            measure = known.measures[by.measure]
            found = of_measure(measure, by.sign, by.value, facts.measures.get(by.measure))
        case ByAlerts():
            found = _of_alerts(by, facts, known.measures[by.measure])
        case ByDrills():
            found = _of_drills(known.flags.get(phase, ()), facts)
        case ByEvidence() | ByLevel():
            found = _of_experiments(by, facts)
        case ByLimits():
            found = _of_limits(by, facts)
        case ByBuilt():
            found = _of_built(by, known.built)
        case ByTest():
            why = f"{_list(by.tests)}: no release is made while one fails."
            found = Found(state="pass", why=why, wanted="its tests pass")
        case ByNothing():
            found = Found(state="not_measurable", why=by.why)
    return found


def of_measure(measure: Measure, sign: Sign, wanted: float, told: Reckoned | None) -> Found:
    """Of a figure that lies between two bounds: which side of what is wanted both are on."""
    told = told or Reckoned(why="The history cannot be read now.")
    state, why = _held(measure, sign, wanted, told)
    return Found(
        state=state,
        why=why,
        value=told.value,
        wanted=f"{sign} {wanted:g}",
        unit=measure.unit,
        window_s=measure.window_s,
        samples=told.samples,
        least=measure.least,
        link=measure.link,
    )


def _held(measure: Measure, sign: Sign, wanted: float, told: Reckoned) -> tuple[State, str]:
    if told.value is None:
        return "no_data", told.why
    said = f"{_figure(told)} {measure.unit} of {told.samples} {measure.counted}."
    side = compare(sign, wanted, told.low, told.high)
    if side is None:
        why = "That is all that is known" if measure.by == "up" else "Its buckets are no finer"
        return "no_data", f"{said} {why}: {wanted:g} is among them."
    if not side and measure.asked:
        return "no_data", f"{said} That it was no more may be for want of demand."
    if side and told.idle:
        return "no_data", f"{said} {told.idle}"
    return ("pass" if side else "fail"), f"{said} {measure.note}".rstrip()


def compare(sign: Sign, wanted: float, low: float, high: float) -> bool | None:
    """Whether what lies from `low` to `high` is on the good side; None: it may be on either."""
    if low == high:
        return bool(_SIGNS[sign](low, wanted))
    if sign == "=":
        return None if low <= wanted <= high else False
    good, bad = (
        (high <= wanted, low >= wanted) if sign in _LESS else (low >= wanted, high <= wanted)
    )
    return True if good else (False if bad else None)


def _figure(told: Reckoned) -> str:
    if told.low == told.high:
        return f"{told.value:.4g}"
    if math.isinf(told.high):
        return f"more than {told.low:g}"
    return f"between {told.low:g} and {told.high:g}"


def _of_experiments(by: ByEvidence | ByLevel, facts: Facts) -> Found:
    return _of_level(by, facts) if isinstance(by, ByLevel) else _of_evidence(by, facts)


def _of_evidence(by: ByEvidence, facts: Facts) -> Found:
    """One that is proved is enough: they are ways to the same."""
    wanted = "proved" if by.value is None else f"{by.sign} {by.value:+.0%}"
    if by.unit:
        wanted = f"{by.sign} {by.value:+g}"
    found = [_of_claim(name, by, facts) for name in by.claims]
    states = {state for state, *_ in found}
    best: State = "pass" if "pass" in states else ("fail" if states == {"fail"} else "no_data")
    value = next((v for state, v, _ in found if state == best and v is not None), None)
    return Found(
        state=best,
        why=" ".join(why for *_, why in found),
        value=value if value is None or by.unit else 100 * value,
        wanted=wanted,
        unit=by.unit or ("%" if value is not None else ""),
        samples=sum(name in facts.verdicts for name in by.claims),
        least=1,
    )


def _of_claim(name: str, by: ByEvidence, facts: Facts) -> tuple[State, float | None, str]:
    told = facts.verdicts.get(name)
    if told is None:
        return "no_data", None, f"{name}: not measured yet."
    if told.effect is None:
        return "no_data", None, f"{name}: {told.verdict}, without an effect."
    estimate, low, high = told.effect
    said = f"{name}: {told.verdict}, {estimate:+.1%} ({low:+.1%} to {high:+.1%})."
    if by.value is None:
        state: State = {"proved": "pass", "refuted": "fail"}.get(told.verdict, "no_data")  # type: ignore[assignment]
        return state, estimate, said
    if by.unit:
        if told.baseline is None:
            return "no_data", None, f"{said} What its baseline came to was not kept."
        estimate, low, high = (told.baseline * each for each in told.effect)
        said = f"{said} That is {estimate:+.4g} {by.unit} ({low:+.4g} to {high:+.4g})."
    side = compare(by.sign, by.value, low, high)
    if side is None or told.verdict == "inconclusive":
        return "no_data", estimate, said
    return ("pass" if side else "fail"), estimate, said


def _of_level(by: ByLevel, facts: Facts) -> Found:
    told = facts.verdicts.get(by.claim)
    wanted = f"{by.sign} {by.value:g}"
    if told is None or told.level is None:
        why = f"{by.claim}: not measured yet."
        return Found(state="no_data", why=why, wanted=wanted, unit=by.unit, least=1)
    value = told.level * by.scale
    state: State = "pass" if _SIGNS[by.sign](value, by.value) else "fail"
    why = f"{by.claim}: the treatment came to {value:.4g} {by.unit} in its newest experiment."
    if told.verdict == "inconclusive":
        state, why = "no_data", f"{why} It was inconclusive."
    return Found(
        state=state,
        why=why,
        value=value,
        wanted=wanted,
        unit=by.unit,
        samples=1,
        least=1,
    )


def _of_limits(by: ByLimits, facts: Facts) -> Found:
    if by.readiness:
        return _of_points(facts.readiness.values(), "points of readiness", "/capacity/")
    found = [point for key, point in facts.limits.items() if key.startswith(by.limits)]
    return _of_points(found, "limits", "/capacity/")


def _of_drills(flags: Sequence[Steered], facts: Facts) -> Found:
    """Of each flag one variant that is asked for came back, and none did not."""
    return _of_points([_drilled(*each, facts) for each in flags], "flags", "")


def _drilled(flag: str, variants: Sequence[str], facts: Facts) -> Point:
    tried = [
        (name, point)
        for (of, name), point in facts.drills.items()
        if of == flag and (name in variants or not variants)
    ]
    for holds in (False, True, None):
        for name, point in tried:
            if point.holds is holds:
                return Point(holds=holds, words=f"{flag} to {name}: {point.words}")
    asked_for = f" to {' or '.join(variants)}" if variants else ""
    return Point(holds=None, words=f"{flag}{asked_for}: not rehearsed")


def _of_points(points: Iterable[Point], counted: str, link: str) -> Found:
    """All of them hold, or one does not, or of one nothing is known."""
    all_ = list(points)
    broken = [point.words for point in all_ if point.holds is False]
    unknown = [point.words for point in all_ if point.holds is None]
    held = len(all_) - len(broken) - len(unknown)
    state: State = "fail" if broken else ("no_data" if unknown or not all_ else "pass")
    why = f"{held} of {len(all_)} {counted}. {_list(broken or unknown)}".rstrip()
    return Found(
        state=state,
        why=why,
        value=float(held) if all_ else None,
        wanted=f"= {len(all_)}" if all_ else "all",
        unit=counted,
        samples=len(all_) - len(unknown),
        least=len(all_),
        link=link,
    )


def _of_built(by: ByBuilt, built: frozenset[str]) -> Found:
    lacking = [name for name in by.of if name not in built]
    why = f"Not built: {_list(lacking)}." if lacking else "All of them are in this release."
    return Found(
        state="fail" if lacking else "pass",
        why=why,
        value=float(len(by.of) - len(lacking)),
        wanted=f"= {len(by.of)}",
        unit="built",
        samples=len(by.of),
        least=len(by.of),
    )


def _of_alerts(by: ByAlerts, facts: Facts, watched: Measure) -> Found:
    """None is a pass only of a window that was watched; one that fired is one, however it was."""
    told = facts.measures.get(watched.id) or Reckoned(why="The history cannot be read now.")
    found = Found(
        state="no_data",
        why="Alerts cannot be read now.",
        wanted="= 0",
        unit="alerts",
        window_s=watched.window_s,
        samples=told.samples,
        least=watched.least,
        link="/alerts/",
    )
    if facts.alerts is None:
        return found
    since = facts.now - timedelta(seconds=watched.window_s)
    fired = [one.rule for one in facts.alerts if one.until > since and _is_meant(one, by)]
    if fired:
        why = f"{len(fired)} {by.severity} fired or still did: {_list(sorted(set(fired)))}."
        return replace(found, state="fail", why=why, value=float(len(fired)))
    if told.value is None:
        return replace(found, why=f"None fired. {told.why}")
    if told.value < watched.scale * (1 - watched.gaps):
        why = f"None fired, but of the window {told.value:.4g} {watched.unit} were watched."
        return replace(found, why=why)
    why = f"No {by.severity} one fired; {told.known:.0%} of its hours were watched. {watched.note}"
    return replace(found, state="pass", why=why, value=0.0)


def _is_meant(fired: Fired, by: ByAlerts) -> bool:
    return fired.severity == by.severity and fired.rule.startswith(by.rules or "")


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"
