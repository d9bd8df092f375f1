"""A flag's guarded rollout, the drill of its way back and what was measured of it, on its page."""

from collections.abc import Mapping
from typing import Any

from console.experiments import standing as evidence
from console.experiments.standing import Standing
from console.flags.reading import FlagView
from console.pages import optimisation_rollout, roadmap_states
from console.pages.optimisation_rollout import DrillRow
from console.pages.states import State
from console.rehearsals import possible
from console.rollouts import seen


def standing(found: FlagView) -> Mapping[str, Any]:
    """`why_no_ramp` and `why_no_drill` are "" where that may be asked for."""
    rollout = optimisation_rollout.of(found.key)
    is_active = rollout is not None and rollout.seen.is_active
    target = rollout.seen.target if rollout and is_active else _target(found)
    return {
        "rollout": rollout,
        "automation": seen.automation(),
        "drill_target": target,
        "drills": _drills(found, target),
        "evidence": [(state_of(each), each) for each in evidence.of() if each.flag == found.key],
        "why_no_ramp": _why_no_ramp(found, is_active=is_active),
        "why_no_drill": possible.why_not(found.key),
    }


def state_of(each: Standing) -> State:
    verdicts = roadmap_states.VERDICTS
    return verdicts["unmeasurable"] if each.why else verdicts[each.verdict or "none"]


def _drills(found: FlagView, target: str) -> list[DrillRow]:
    """Of the target, and of whatever else was rehearsed or is about to be."""
    others = [name for name in found.variants if name not in {target, found.baseline}]
    rows = optimisation_rollout.drills_of(found.key, (target, *others))
    return [row for row in rows if row.target == target or row.found or row.moving]


def _target(found: FlagView) -> str:
    """Whose way back matters: the one it has, or would get."""
    given = (found.target, found.rest, *found.variants)
    return next((name for name in given if name != found.baseline), found.target)


def _why_no_ramp(found: FlagView, *, is_active: bool) -> str:
    if is_active:
        return "A rollout is under way."
    if found.why_not:
        return found.why_not
    if not found.fleet:
        return "Other services read it: what its units do is not measured here."
    return "" if found.enabled else "It is off: whoever asks goes by its own default."
