"""Gathers what is known of flags: rows, plans, freezes, the fleet's words and evaluations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from console import fleetview
from console.access.models import AuditEntry
from console.controls.errors import ControlError, UnknownFlag
from console.flags import acts, bounds, clock, evaluations, guards, reach
from console.flags.catalogue import BY_KEY
from console.flags.compiling import Need, all_unmet
from console.flags.evaluations import Rates
from console.flags.models import Flag, Freeze, PlannedStage
from console.flags.rehearsed import lack_drills
from console.flags.seen import FlagView, Frost, Hold, OnWorker, Preview, Step
from console.flags.standing import Standing
from console.fleetview import Fleet
from console.rehearsals import standing as rehearsals
from monitoring.snapshots import WorkerSnapshot
from validation.models import ControlKind

__all__ = [
    "FlagView", "Frost", "Hold", "OnWorker", "Preview", "Step", "baking", "flag", "flags",
    "per_minute", "preview",
]  # fmt: skip

HISTORY = 20
_SETTLED = 5
_OF_LATE = timedelta(days=7)
_WAITING = PlannedStage.State.WAITING


def flags(fleet: Fleet | None = None) -> list[FlagView]:
    """All, by key, without their histories."""
    seen = _look(fleet)
    return [_view(one, seen) for one in seen.flags.values()]


def flag(key: str, fleet: Fleet | None = None) -> FlagView:
    """Raises UnknownFlag."""
    seen = _look(fleet)
    if key not in seen.flags:
        raise UnknownFlag(f"There is no flag {key[:160]!r}: /flags/ lists them.")
    history = AuditEntry.objects.filter(kind=ControlKind.FLAGS, target=key)[:HISTORY]
    return replace(_view(seen.flags[key], seen), history=tuple(history))


def per_minute(key: str) -> dict[str, float] | None:
    """How often it is asked, by variant; None: no two readings of late."""
    found = evaluations.rates()
    return None if found is None else found.of(key)


def preview(
    key: str,
    *,
    stage: int,
    target: str | None = None,
    rest: str | None = None,
    unit: str | None = None,
    needs_drill: bool = True,
) -> Preview:
    """What `acts.set_stage` would come to; without `needs_drill` that of an admin who goes without,
    or of a rollout, which makes its own. Raises UnknownFlag, and Refused for what is no stage.
    """
    known, now = guards.all_flags(), clock.now()
    if (it := known.get(key)) is None:
        raise UnknownFlag(f"There is no flag {key[:160]!r}: /flags/ lists them.")
    then = acts.wanted(it, stage=stage, target=target, rest=rest, unit=unit)
    why_not = "" if then != Standing.of(it) else f"It is {then.words} already."
    try:
        guards.judge(it, then, now, needs_drill=needs_drill)
    except ControlError as exc:
        why_not = why_not or str(exc)
    before, shown = Standing.of(it), guards.holds_back(key, known)
    baked_s, to_bake_s = baking(it, now)
    lacking = lack_drills(it, before, then)
    then.write(it)
    return Preview(
        key=key,
        now_is=before.words,
        would_be=then.words,
        reach=reach.reach_of(it, then.stage, then.unit, reach.living()),
        raises=then.raises(before, it.baseline),
        holds_back=tuple(one for one in guards.holds_back(key, known) if one not in shown),
        baked_s=baked_s,
        to_bake_s=to_bake_s,
        rehearsed=_rehearsed(it, then),
        lack_drills=lacking,
        ends_steps=PlannedStage.objects.filter(flag_id=key, state=_WAITING).count(),
        why_not=why_not,
        revision=it.revision,
    )


def _rehearsed(it: Flag, then: Standing) -> str:
    """Of the variant that units would have, besides the baseline."""
    variant = then.target if then.stage else then.rest
    return "" if variant == it.baseline else rehearsals.words_of(it.key, variant)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """One moment: what is asked once for all flags."""

    flags: Mapping[str, Flag]
    # Of each flag what holds it back, and whom it holds back.
    missing: Mapping[str, list[Need]]
    held_by: Mapping[str, tuple[str, ...]]
    fleet: Fleet
    alive: reach.Living
    freezes: Mapping[str, Freeze]
    steps: Mapping[str, list[PlannedStage]]
    rates: Rates | None
    now: datetime


def _look(fleet: Fleet | None) -> _Seen:
    now = clock.now()
    steps: dict[str, list[PlannedStage]] = {}
    of_late = Q(state=_WAITING) | Q(settled_at__gt=now - _OF_LATE)
    for step in PlannedStage.objects.filter(of_late).order_by("at", "id"):
        steps.setdefault(step.flag_id, []).append(step)
    found = guards.all_flags()
    missing = all_unmet(found)
    return _Seen(
        flags=found,
        missing=missing,
        held_by=guards.held_by(found, missing),
        fleet=fleet or fleetview.look(),
        alive=reach.living(),
        freezes={one.key: one for one in Freeze.objects.filter(until__gt=now)},
        steps=steps,
        rates=evaluations.rates(),
        now=now,
    )


def _view(it: Flag, seen: _Seen) -> FlagView:
    needs = _needs(it, seen)
    held = not all(need.met for need in needs)
    stage = 0 if held or it.targeting is not None else it.stage
    coming = next((one for one in bounds.STAGES if one > it.stage), None)
    baked_s, to_bake_s = baking(it, seen.now)
    fleet = seen.fleet
    own = {name: getattr(it, name) for name in _OWN}
    return FlagView(
        **own,
        variants=_ordered(it),
        unit=str(it.unit),
        units=tuple(it.units or [str(it.unit)]),
        bake_s={int(at): int(seconds) for at, seconds in it.bake_s.items()},
        effective_stage=stage,
        words=Standing.of(it).words,
        requires=needs,
        holds_back=seen.held_by.get(it.key, ()),
        frost=_frost(it.key, seen.freezes),
        why_not=_why_not(it),
        plan=_plan(seen.steps.get(it.key, [])),
        history=(),
        reach=reach.reach_of(it, stage, str(it.unit), seen.alive),
        next=None if coming is None else reach.reach_of(it, coming, str(it.unit), seen.alive),
        baked_s=baked_s,
        to_bake_s=to_bake_s,
        workers=_on_workers(it, stage, seen),
        reachable=fleet.reachable,
        acknowledged=fleet.acknowledged(it.revision) if fleet.reachable else None,
        heard=fleet.heard if fleet.reachable else None,
        per_minute=None if seen.rates is None else seen.rates.of(it.key),
        rate_over_s=None if seen.rates is None else seen.rates.over_s,
        rate_age_s=None if seen.rates is None else seen.rates.age_s,
    )


_OWN = (
    *("key", "title", "description", "type", "enabled", "baseline", "target", "rest"),
    *("stage", "slot_s", "fleet", "layer", "targeting", "metadata", "builtin", "wired"),
    *("revision", "staged_at", "changed_at", "reason", "actor"),
)


def _ordered(it: Flag) -> dict[str, Any]:
    """As the release tells them, or the baseline first: the database keeps no order."""
    definition = BY_KEY.get(it.key)
    first = list(definition.variants) if definition else [it.baseline]
    names = [*(name for name in first if name in it.variants)]
    names += sorted(name for name in it.variants if name not in names)
    return {name: it.variants[name] for name in names}


def _needs(it: Flag, seen: _Seen) -> tuple[Hold, ...]:
    missing, known = set(seen.missing[it.key]), seen.flags
    return tuple(
        Hold(
            flag=need["flag"],
            variant=need["variant"],
            met=(need["flag"], need["variant"]) not in missing,
            now_is=Standing.of(known[need["flag"]]).words if need["flag"] in known else "not there",
        )
        for need in it.requires
    )


def _frost(key: str, freezes: Mapping[str, Freeze]) -> Frost | None:
    """The one that ends last."""
    found = [freezes[name] for name in (key, "") if name in freezes]
    if not found:
        return None
    last = max(found, key=lambda one: one.until)
    return Frost(of_all=not last.key, until=last.until, reason=last.reason, actor=last.actor)


def _why_not(it: Flag) -> str:
    try:
        guards.refuse_unstageable(it)
    except ControlError as exc:
        return str(exc)
    return ""


def _plan(steps: Iterable[PlannedStage]) -> tuple[Step, ...]:
    told = [
        Step(
            at=step.at,
            stage=step.stage,
            state=str(step.state),
            reason=step.reason,
            actor=step.actor,
            settled_at=step.settled_at,
            note=step.note,
        )
        for step in steps
    ]
    settled = [step for step in told if step.settled_at is not None]
    settled.sort(key=lambda step: step.settled_at or step.at, reverse=True)
    return (*(step for step in told if step.state == _WAITING), *settled[:_SETTLED])


def baking(it: Flag, now: datetime) -> tuple[float, int]:
    """Seconds that its stage has held, and that it should before the next."""
    return (now - it.staged_at).total_seconds(), int(it.bake_s.get(str(it.stage), 0))


def _on_workers(it: Flag, stage: int, seen: _Seen) -> tuple[OnWorker, ...]:
    if "worker" not in reach.fleets_of(it):
        return ()
    return tuple(_on_worker(it, stage, worker, seen) for worker in seen.fleet.workers)


def _on_worker(it: Flag, stage: int, worker: WorkerSnapshot, seen: _Seen) -> OnWorker:
    report = next((one for one in worker.flags if one.key == it.key), None)
    return OnWorker(
        worker=worker.id,
        state=worker.state,
        age_s=worker.age_s,
        slot=worker.slot,
        acknowledged=(worker.acknowledged or 0) >= it.revision,
        variant=report.variant if report else None,
        value=report.value if report else None,
        reason=report.reason if report else None,
        in_force=report.in_force if report else None,
        evaluations=dict(report.evaluations) if report else {},
        expected=reach.expected(it, stage, worker.slot, seen.alive.get("worker", ())),
    )
