"""From the figures of an experiment's blocks to its verdict: once, when all of them are there."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from console.experiments.claims import Claim, Guard
from console.experiments.evidence import NoEvidence
from console.experiments.schedule import Kind, Side
from console.roadmap.analysis import carry_over, effect
from console.roadmap.effects import Effect, Judged, judge


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One arm's turn, in the order in which they ran."""

    pair: int
    kind: Kind
    side: Side
    variant: str
    figures: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """`found` is what the verdict rests on, as it is kept."""

    judged: Judged
    found: Mapping[str, Any]


def find(claim: Claim, blocks: Sequence[Block], *, seed: int) -> Finding:
    """Raises NoEvidence where a figure is missing, or has no ratio."""
    measured = _effect(claim, blocks, "ab", claim.metric, seed)
    noise = _effect(claim, blocks, "aa", claim.metric, seed)
    carried = _carried(claim, blocks, seed)
    guards = [_guarded(claim, guard, blocks, seed) for guard in claim.guards]
    judged = judge(measured, direction=claim.direction, least=claim.least, noise=noise)
    if judged.verdict != "refuted":
        judged = _doubted(claim, judged, carried, guards)
    found = {
        "effect": asdict(measured),
        "noise": asdict(noise),
        "carry_over": None if carried is None else asdict(carried),
        "guards": guards,
        "claimed_reached": _reaches(claim, measured),
        "means": {
            "baseline": _mean(_values(blocks, "ab", "a", claim.metric)),
            "treatment": _mean(_values(blocks, "ab", "b", claim.metric)),
        },
    }
    return Finding(judged=judged, found=found)


def _doubted(
    claim: Claim, judged: Judged, carried: Effect | None, guards: Sequence[Mapping[str, Any]]
) -> Judged:
    """What seems proved is not, and what may be was not measured well, where it was bought with
    something else or marks the next block.
    """
    for guard in guards:
        if not guard["held"]:
            more = guard["effect"]["estimate"]
            limit = f"guarded is {guard['most']:+.0%}"
            why = f"{judged.why} But {guard['metric']} changed by {more:+.1%}; {limit}."
            return Judged(verdict="inconclusive", why=why)
    is_carried = carried is not None and (carried.low > 0 or carried.high < 0)
    if is_carried and carried is not None and abs(carried.estimate) > claim.least:
        why = (
            f"{judged.why} But a block after one of the other arm is drawn towards it by "
            f"{carried.estimate:+.1%}: the washout is too short."
        )
        return Judged(verdict="inconclusive", why=why)
    return judged


def _effect(claim: Claim, blocks: Sequence[Block], kind: Kind, metric: str, seed: int) -> Effect:
    before, after = (_values(blocks, kind, side, metric) for side in ("a", "b"))
    try:
        return effect(before, after, seed=seed, scale=claim.scale)
    except ValueError as exc:
        raise NoEvidence(f"{metric}: {exc}") from exc


def _guarded(claim: Claim, guard: Guard, blocks: Sequence[Block], seed: int) -> dict[str, Any]:
    """Of what may be zero in every block nothing is to be said, and nothing got worse."""
    before, after = (_values(blocks, "ab", side, guard.metric) for side in ("a", "b"))
    try:
        found = effect(before, after, seed=seed)
    except ValueError as exc:
        raise NoEvidence(f"{claim.key}: guard {guard.metric}: {exc}") from exc
    held = found.estimate <= guard.most if guard.most >= 0 else found.estimate >= guard.most
    return {
        "metric": guard.metric,
        "most": guard.most,
        "held": held,
        "effect": asdict(found),
    }


def _carried(claim: Claim, blocks: Sequence[Block], seed: int) -> Effect | None:
    values = [_figure(block, claim.metric) for block in blocks]
    # Both arms of a pair at once leave nothing behind for each other; zero has no logarithm.
    if claim.unit == "item" or claim.scale != "ratio" or min(values) <= 0:
        return None
    return carry_over(values, [block.variant for block in blocks], seed=seed)


def _reaches(claim: Claim, found: Effect) -> bool | None:
    """Whether what the source says may be true here; None: it names no figure."""
    if claim.expected is None:
        return None
    if claim.direction == "less":
        return found.low <= claim.expected
    return found.high >= claim.expected


def _values(blocks: Sequence[Block], kind: Kind, side: str, metric: str) -> list[float]:
    """In the order of their pairs."""
    mine = (block for block in blocks if (block.kind, block.side) == (kind, side))
    return [_figure(block, metric) for block in sorted(mine, key=lambda block: block.pair)]


def _figure(block: Block, metric: str) -> float:
    if metric not in block.figures:
        known = ", ".join(sorted(block.figures))
        raise NoEvidence(f"{metric}: no block measures it; measured are {known}.")
    return block.figures[metric]


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
