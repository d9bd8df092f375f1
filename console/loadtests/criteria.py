"""What a scenario must show, what it showed, and whether that is enough."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type Sign = Literal["≤", "≥", "="]


class CannotRun(Exception):
    """Says to the person at the terminal why nothing was measured, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """`source`: the words of a source, or "ours". `measured` None: there is no figure, and what was
    not seen does not hold.
    """

    name: str
    sign: Sign
    wanted: float
    measured: float | None
    unit: str = ""
    source: str

    @property
    def holds(self) -> bool:
        if self.measured is None:
            return False
        if self.sign == "≤":
            return self.measured <= self.wanted
        return self.measured >= self.wanted if self.sign == "≥" else self.measured == self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """`figures`: what else was seen, for whoever wants to know why."""

    criteria: tuple[Criterion, ...]
    figures: Mapping[str, float | str] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        return bool(self.criteria) and all(criterion.holds for criterion in self.criteria)


def at_most(
    name: str, measured: float | None, wanted: float, *, unit: str = "", source: str
) -> Criterion:
    return Criterion(
        name=name, sign="≤", wanted=wanted, measured=measured, unit=unit, source=source
    )


def at_least(
    name: str, measured: float | None, wanted: float, *, unit: str = "", source: str
) -> Criterion:
    return Criterion(
        name=name, sign="≥", wanted=wanted, measured=measured, unit=unit, source=source
    )


def exactly(
    name: str, measured: float | None, wanted: float, *, unit: str = "", source: str
) -> Criterion:
    return Criterion(
        name=name, sign="=", wanted=wanted, measured=measured, unit=unit, source=source
    )
