"""What the sources reckon in hours and $, reckoned again."""

from dataclasses import dataclass
from typing import Any

from console.roadmap import costs
from console.roadmap.costs import Hours, Memory, Return
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Cost, Phase, Programme


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRow:
    cost: Cost
    programme: Programme
    reckoned: Return


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursRow:
    phase: Phase
    programme: Programme
    hours: Hours


def load(memory_mb: float | None = None) -> dict[str, Any]:
    """`memory_mb`: what all processes take here, where it is known."""
    said = roadmap()
    by_id = {each.id: each for each in said.costs}
    returns = [
        ReturnRow(
            cost=by_id[each.cost],
            programme=said.programme(by_id[each.cost].programme),
            reckoned=each,
        )
        for each in costs.returns(said)
    ]
    return {"returns": returns, "hours": _hours(), "prices": said.prices,
            "memory": _memory(memory_mb), "memory_parts": said.memory}  # fmt: skip


def _memory(memory_mb: float | None) -> Memory:
    return costs.memory(roadmap(), memory_mb)


def _hours() -> list[HoursRow]:
    """Of phases of which somebody says something."""
    said = roadmap()
    pairs = [(each, phase) for each in said.programmes for phase in each.phase]
    rows = [
        HoursRow(phase=phase, programme=each, hours=costs.hours(said, phase))
        for each, phase in pairs
    ]
    return [row for row in rows if row.hours.said is not None or row.hours.added]
