"""Costs and benefits of the sources, reckoned again; and what measured figures make of them.

Prices and rates are the sources'. Hours are added up from what they give each optimisation.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from console.roadmap.programmes import Roadmap
from console.roadmap.rows import Cost, Phase, Span

_MIB_PER_GIB = 1024.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Of a phase: what the source says, and what its optimisations add up to."""

    phase: str
    said: float | None
    added: float
    # How many of them the source gives no hours for.
    unsaid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """Of a programme's first year, in $. `comes_back` and `gains` are in times what was spent:
    everything saved, and what of it is left after the cost. The least is the least saved for most.
    """

    cost: str
    spent: Span
    saved: Span
    claimed: Span
    comes_back: Span
    gains: Span
    # Share of what is saved that a measurement of the system could say.
    measurable: float
    # Hours that the optimisations add up to, where the source reckons in hours.
    hours: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What memory costs a month at the source's price; of the source before and after, and of what
    was measured here. None: not measured.
    """

    before_mb: float
    after_mb: float
    before: float
    after: float
    measured_mb: float | None
    measured: float | None


def hours(roadmap: Roadmap, phase: Phase) -> Hours:
    rows = [row for row in roadmap.planned.values() if row.phase == phase.id]
    known = [row.effort_h for row in rows if row.effort_h is not None]
    return Hours(phase=phase.id, said=phase.hours, added=sum(known), unsaid=len(rows) - len(known))


def returns(roadmap: Roadmap) -> tuple[Return, ...]:
    return tuple(_return(roadmap, each) for each in roadmap.costs)


def memory(roadmap: Roadmap, measured_mb: float | None = None) -> Memory:
    """`measured_mb`: what all processes take here, where it is known."""
    price = roadmap.prices.gb_month / _MIB_PER_GIB
    before = sum(part.before_mb for part in roadmap.memory)
    after = sum(part.after_mb for part in roadmap.memory)
    return Memory(
        before_mb=before,
        after_mb=after,
        before=before * price,
        after=after * price,
        measured_mb=measured_mb,
        measured=None if measured_mb is None else measured_mb * price,
    )


def _return(roadmap: Roadmap, cost: Cost) -> Return:
    added = None
    if cost.hours is not None:
        phases = roadmap.programme(cost.programme).phase
        added = sum(hours(roadmap, phase).added for phase in phases)
    spent = cost.spent or _priced(added or 0.0, roadmap.prices.hour)
    back = (cost.saving_a_year[0] / spent[1], cost.saving_a_year[1] / spent[0])
    return Return(
        cost=cost.id,
        spent=spent,
        saved=cost.saving_a_year,
        claimed=cost.claimed_return,
        comes_back=back,
        gains=(back[0] - 1, back[1] - 1),
        measurable=_share(cost),
        hours=added,
    )


def _priced(hours: float, price: float) -> Span:
    return (hours * price, hours * price)


def _share(cost: Cost) -> float:
    return _sum(p.a_year for p in cost.parts if p.measurable) / _sum(p.a_year for p in cost.parts)


def _sum(amounts: Iterable[float]) -> float:
    return float(sum(amounts))
