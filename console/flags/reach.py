"""Whom a stage reaches: how many of the living processes, and what share of the work."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from django.db.models.functions import Now

from console.flags.models import Flag, Unit
from console.flags.standing import ALL, Standing
from validation.models import Slot
from validation.slots import LEASE_S, rank

type Living = Mapping[str, Sequence[int]]
"""Of each fleet the numbers of the processes that live."""

FLEETS = ("worker", "web")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What `percent` of a flag's units are now. `treated` of `processes` have the target whole;
    None where the stage does not split processes, or none is known to live.
    """

    percent: int
    treated: int | None
    processes: int | None
    text: str


def living() -> dict[str, list[int]]:
    found: dict[str, list[int]] = {fleet: [] for fleet in FLEETS}
    alive = Slot.objects.filter(seen_at__gt=Now() - timedelta(seconds=LEASE_S))
    for fleet, number in alive.order_by("number").values_list("fleet", "number"):
        found.setdefault(fleet, []).append(number)
    return found


def reach_of(flag: Flag, stage: int, unit: str, alive: Living) -> Reach:
    """Of the target, at `stage` of `unit`, whatever holds the flag back."""
    fleets = fleets_of(flag)
    processes = sum(len(alive.get(fleet, ())) for fleet in fleets)
    treated = None
    if unit == Unit.PROCESS and processes:
        treated = sum(_treated(stage, len(alive.get(fleet, ()))) for fleet in fleets)
    text = _text(flag, stage, unit, treated, processes)
    return Reach(percent=stage, treated=treated, processes=processes or None, text=text)


def fleets_of(flag: Flag) -> tuple[str, ...]:
    return FLEETS if flag.fleet == "all" else tuple(f for f in FLEETS if f == flag.fleet)


def expected(flag: Flag, stage: int, slot: int | None, numbers: Sequence[int]) -> str | None:
    """The variant that a process of that number should have; "" while its items are split; None
    where it cannot be said.
    """
    standing = Standing.of(flag)
    if not flag.enabled or flag.targeting is not None:
        return None
    if stage == 0 or standing.everyone is not None:
        return flag.rest if stage == 0 else standing.everyone
    if flag.unit == Unit.ITEM:
        return ""
    if flag.unit == Unit.TIME_SLOT or slot is None:
        return None
    everyone = sorted({*numbers, slot})
    within = rank(flag.key, slot, everyone) * ALL < stage * len(everyone)
    return flag.target if within else flag.rest


def _treated(stage: int, processes: int) -> int:
    """Rounded up: a stage above 0 always reaches one."""
    return -(-stage * processes // ALL)


def _text(flag: Flag, stage: int, unit: str, treated: int | None, processes: int) -> str:
    if unit == Unit.TIME_SLOT:
        return f"{stage} % of the time, in slots of {flag.slot_s} s"
    if unit == Unit.ITEM:
        what = "items" if flag.fleet == "worker" else "those who ask"
        return f"{stage} % of {what}"
    if treated is None:
        return f"{stage} % of processes, rounded up; none is known to live"
    noun = "process" if processes == 1 else "processes"
    said = f"{treated} of {processes} {noun}"
    if flag.fleet != "worker":
        return said
    return f"{said}, {round(ALL * treated / processes)} % of items"
