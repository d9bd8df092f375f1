"""One flag: how far it is, whom the next step touches, who has it, and how it came about."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import fleetview
from console.controls.errors import UnknownFlag
from console.exports import TABLE_FORMS, stream_table
from console.flags import clock, compiling, freezing, reach, reading
from console.flags.models import Flag, Unit
from console.flags.reach import Living, Reach
from console.flags.reading import FlagView, OnWorker
from console.fleetview import Fleet
from console.http import render_page
from console.pages import flag_rollout, history
from console.pages.flag_rows import row_of, stages_of
from console.pages.flag_split import asked_of, held_by, is_own, measured_of, share_of, wanted_of
from console.pages.fleet import cells, process_name, unreachable
from console.pages.states import State
from console.roadmap import decisions
from validation.slots import rank

TEMPLATE = "console/flag.html"
REGIONS = (
    *("actions", "stage", "rollout", "standing", "workers", "variants", "plan", "about"),
    "history",
)
COLUMNS = (
    *("worker", "state", "slot", "rank", "variant", "value", "reason", "in_force", "expected"),
    *("evaluations", "acknowledged", "age_s"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A stage of the control, and whom it reaches."""

    reach: Reach
    is_current: bool
    is_reached: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """A worker process, and what it has of the flag."""

    row: OnWorker
    process: str
    state: State
    rank: int | None

    @property
    def decisions(self) -> int:
        return sum(self.row.evaluations.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    name: str
    value: str
    roles: tuple[str, ...]
    a_minute: float | None


@require_safe
def show(request: HttpRequest, key: str) -> HttpResponseBase:
    fleet = fleetview.look()
    found = find(key, fleet)
    if (form := request.GET.get("format", "")) in TABLE_FORMS:
        if not fleet.reachable:
            return unreachable()
        rows = [_flat(holder) for holder in holders_of(found, fleet, reach.living())]
        return stream_table(f"flag-{key}", form, COLUMNS, iter([rows]))
    context = {**standing(found, fleet), "topics": f"flag:{key}"}
    return render_page(request, TEMPLATE, "", context)


def find(key: str, fleet: Fleet | None = None) -> FlagView:
    try:
        return reading.flag(key, fleet)
    except UnknownFlag as error:
        raise Http404(str(error)) from error


def standing(found: FlagView, fleet: Fleet) -> dict[str, Any]:
    """What the regions show."""
    alive = reach.living()
    row, holders, parts = row_of(found), holders_of(found, fleet, alive), measured_of(found)
    flags, now = {flag.key: flag for flag in Flag.objects.all()}, clock.now()
    return {
        "section": "flags",
        "fleet": fleet,
        "row": row,
        "flag": found,
        "offers": offers_of(found, flags[found.key], alive),
        "bake_left_s": max(found.to_bake_s - found.baked_s, 0),
        "baked_of_s": min(found.baked_s, found.to_bake_s),
        "freeze": freezing.standing(found.key, now),
        "parts": parts,
        "target_share": share_of(wanted_of(found), parts),
        "asked": asked_of(found),
        "by_variant": _by_variant(found),
        "split_on": sum(holder.row.is_current and holder.row.variant == "" for holder in holders),
        "lagging": _lagging(found, fleet),
        "holders": holders,
        "has_it": sum(_has(holder.row, found) for holder in holders),
        "variants": variants_of(found),
        "waiting": [(step, (step.at - now).total_seconds()) for step in row.waiting],
        "settled": [step for step in found.plan if step.state != "waiting"],
        "peers": [
            flag
            for flag in flags.values()
            if flag.layer and flag.layer == found.layer and flag.is_partial
        ],
        "optimisations": decisions.of_flag(found.key),
        **flag_rollout.standing(found),
        "definition": definition_of(flags[found.key], flags),
        "history": history.entries(found.history),
    }


def offers_of(found: FlagView, flag: Flag, alive: Living) -> list[Offer]:
    """Each stage with whom it would reach of those that live now."""
    return [
        Offer(
            reach=reach.reach_of(flag, stage, found.unit, alive),
            is_current=stage == found.stage,
            is_reached=stage <= found.stage,
        )
        for stage in stages_of(found)
    ]


def holders_of(found: FlagView, fleet: Fleet, alive: Living) -> list[Holder]:
    """Those that have it first, then by slot."""
    names = {worker.id: process_name(worker) for worker in fleet.workers}
    living = alive.get("worker", ())
    rows = sorted(
        found.workers,
        key=lambda row: (not row.is_current, not _has(row, found), row.slot is None, row.slot),
    )
    return [
        Holder(
            row=row,
            process=names.get(row.worker, row.worker),
            state=_holding(row, found),
            rank=_rank(row, found, living),
        )
        for row in rows
    ]


def variants_of(found: FlagView) -> list[Variant]:
    rates: Mapping[str, float] | None = found.per_minute
    roles = (("target", found.target), ("rest", found.rest), ("baseline", found.baseline))
    return [
        Variant(
            name=name,
            value=value if isinstance(value, str) else json.dumps(value),
            roles=tuple(word for word, of in roles if of == name),
            a_minute=None if rates is None else rates.get(name, 0.0),
        )
        for name, value in found.variants.items()
    ]


def definition_of(flag: Flag, flags: Mapping[str, Flag]) -> str:
    """As any evaluator of flagd's format would read it."""
    held = compiling.is_held(flag, flags)
    return json.dumps({flag.key: compiling.compiled(flag, held)}, indent=2, ensure_ascii=False)


def _by_variant(found: FlagView) -> list[tuple[str, int]]:
    """What the stage gives first, then what the others get; not those on their own defaults,
    which the row tells.
    """
    counts = {name: n for name, n in found.by_variant.items() if not is_own(name, found)}
    names = dict.fromkeys((found.target, found.rest, *counts))
    return [(name, counts[name]) for name in names if name in counts]


def _has(row: OnWorker, found: FlagView) -> bool:
    """What it gives: the target, or of one that is off, nothing."""
    if not found.enabled:
        return row.is_current and is_own(row.variant, found)
    return row.is_current and row.variant in {found.target, ""} and found.effective_stage > 0


def _rank(row: OnWorker, found: FlagView, living: Sequence[int]) -> int | None:
    """Its place in the order in which a stage reaches processes, from 1."""
    if row.slot is None or found.unit != Unit.PROCESS:
        return None
    return rank(found.key, row.slot, living) + 1


def _holding(row: OnWorker, found: FlagView) -> State:
    if row.variant is None:
        return State(glyph="idle", word="No data")
    held, own = held_by(row, found) or "split", is_own(row.variant, found)
    if row.state == "gone":
        return State(glyph="idle", word="Gone", effect=f"had {held}")
    if row.reason == "ERROR":
        return State(glyph="open", word="Failing", effect=row.variant or "no decision")
    if row.agrees is False or not (found.enabled or own):
        return State(glyph="half", word=held, effect="not yet as wanted")
    return State(glyph="idle", word=held, effect="its own default") if own else _within(row, found)


def _within(row: OnWorker, found: FlagView) -> State:
    if not row.variant:
        return State(glyph="half", word="Split", effect=f"{found.effective_stage} % of its items")
    is_target = row.variant == found.target and found.effective_stage > 0
    return State(
        glyph="closed" if is_target else "idle",
        word=row.variant,
        effect="within the stage" if is_target else "rest",
    )


def _lagging(found: FlagView, fleet: Fleet) -> list[str]:
    """Processes that may be at work and have not read how it stands."""
    return [
        process_name(worker)
        for worker in fleet.workers
        if worker.state != "gone" and (worker.acknowledged or 0) < found.revision
    ]


def _flat(holder: Holder) -> dict[str, object]:
    row = holder.row
    counts = " ".join(f"{name}={number}" for name, number in sorted(row.evaluations.items()))
    return cells(row, COLUMNS, rank=holder.rank, evaluations=counts)
