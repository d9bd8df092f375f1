"""Claimed against measured: each claim with its newest verdict and its interval."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.experiments import standing, telling
from console.experiments.claims import Claim
from console.experiments.models import Experiment
from console.experiments.standing import Standing
from console.pages import interval, roadmap_states
from console.pages.interval import Interval
from console.pages.roadmap_wish import Wish
from console.pages.states import State

_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRow:
    """A claim that can be measured here; `plot` is where its marks stand."""

    claim: Claim
    standing: Standing
    plot: Interval

    @property
    def newest(self) -> Experiment | None:
        """The newest that came to its end; None: nothing is measured."""
        return self.standing.newest

    @property
    def verdict(self) -> str:
        return self.standing.verdict or "none"

    @property
    def state(self) -> State:
        return roadmap_states.of_verdict(self.newest)

    @property
    def claimed(self) -> str:
        """`−60 %`; of a source that names no figure, the direction."""
        claim = self.claim
        return claim.direction if claim.expected is None else written(claim.expected, claim.scale)

    @property
    def measured(self) -> str:
        found = effect_of(self.newest)
        return written(found["estimate"], self.claim.scale) if found else ""

    @property
    def range(self) -> str:
        found = effect_of(self.newest)
        if not found:
            return ""
        return " to ".join(written(found[name], self.claim.scale) for name in ("low", "high"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """`open`: those that cannot be measured here."""

    rows: tuple[ClaimRow, ...]
    open: tuple[Standing, ...]

    @property
    def moving(self) -> tuple[Standing, ...]:
        """Those of which an experiment waits or runs."""
        return tuple(row.standing for row in self.rows if row.standing.running)

    def of(self, optimisation: str) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.rows if optimisation in row.claim.optimisations)

    def open_of(self, optimisation: str) -> tuple[Standing, ...]:
        return tuple(each for each in self.open if optimisation in each.optimisations)

    def number(self, verdict: str) -> int:
        return sum(row.verdict == verdict for row in self.rows)

    @property
    def short(self) -> int:
        """Of those that are proved: how many do not reach the figure that is claimed."""
        return sum(row.newest is not None and telling.is_short(row.newest) for row in self.rows)

    @property
    def not_measured(self) -> int:
        """How many can be measured here, and were not yet."""
        return self.number("none")


def load() -> Claims:
    """All that this release makes, in their order."""
    told = standing.of()
    return Claims(
        rows=tuple(_row(each, each.claim) for each in told if each.claim),
        open=tuple(each for each in told if not each.claim),
    )


def effect_of(experiment: Experiment | None) -> Mapping[str, Any] | None:
    """As it is kept; None where nothing was measured."""
    return experiment.found.get("effect") if experiment else None


def verdict_of(rows: Sequence[ClaimRow]) -> str:
    """Of all claims of an optimisation: the worst that was found; "none" where nothing was."""
    found = {row.verdict for row in rows}
    return next((name for name in ("refuted", "inconclusive", "proved") if name in found), "none")


def wanted(rows: Iterable[ClaimRow], wish: Wish) -> list[ClaimRow]:
    return [row for row in rows if wish.finds(*texts(row.standing))]


def texts(one: Standing) -> tuple[str, ...]:
    """What a search finds a claim by."""
    return (one.key, one.title, one.flag, one.says, one.why, *one.optimisations)


def written(value: float, scale: str) -> str:
    """`−45.0 %` of a ratio, `+0.12` of a difference."""
    text = f"{100 * value:+.1f}\u202f%" if scale == "ratio" else f"{value:+.3g}"
    return text.replace("-", _MINUS)


def _row(each: Standing, claim: Claim) -> ClaimRow:
    found, claimed = effect_of(each.newest), f"{claim.direction}, by no figure"
    if claim.expected is not None:
        claimed = written(claim.expected, claim.scale)
    said = f"{each.title}: claimed {claimed}"
    if found:
        low, at, high = (written(found[name], claim.scale) for name in ("low", "estimate", "high"))
        said += f", measured {at}, between {low} and {high}: {each.verdict}"
    else:
        said += ", nothing measured"
    return ClaimRow(claim=claim, standing=each, plot=interval.of(claim, found, each.verdict, said))
