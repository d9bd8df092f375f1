"""What gains of one after the other come to: they act on what is left, and are not added."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import prod

from console.roadmap.rows import Programme, Span

_ALL = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compounded:
    """Percent. `promised` is what the source says it makes in all."""

    parts: tuple[tuple[str, Span], ...]
    promised: Span
    added: Span
    compounds_to: Span

    @property
    def is_overstated(self) -> bool:
        """Whether the promise is more than its parts can bring."""
        return round(self.promised[1]) > round(self.compounds_to[1])


def compound(gains: Iterable[float]) -> float:
    """Of gains in percent, each of what the one before has left; raises ValueError beyond 100."""
    shares = [gain / _ALL for gain in gains]
    if any(not 0 <= share <= 1 for share in shares):
        raise ValueError("a gain is from 0 to 100 percent of what is there")
    return _ALL * (1 - prod(1 - share for share in shares))


def of_programme(programme: Programme) -> Compounded | None:
    """None where it promises nothing, or does not say of which parts."""
    parts = tuple((phase.id, phase.gain) for phase in programme.phase if phase.gain)
    if programme.headline is None or len(parts) < 2:  # noqa: PLR2004 - one acts on nothing
        return None
    low, high = ([gain[side] for _, gain in parts] for side in (0, 1))
    return Compounded(
        parts=parts,
        promised=programme.headline,
        added=(sum(low), sum(high)),
        compounds_to=(compound(low), compound(high)),
    )
