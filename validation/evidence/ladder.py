"""An answer rung by rung: what each level of the trust ladder took, and why it ended where it did.

Read from names and statuses alone, so that a result of years ago shows as well as one of now.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from validation.subjects import Kind
from validation.validators import CHECKS, HIGHEST_LEVEL, REASONS, Check, Status, Verdict

LEVELS = ("answered", "well-formed", "self-consistent", "in its block", "anchored", "final")


class Standing(StrEnum):
    """How a rung stands."""

    REACHED = "reached"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It could not be told: a check of it was skipped, or the item ended before."""
    NOT_TRIED = "not_tried"
    """What is below it settled the item."""
    NOT_ASKED = "not_asked"
    NOT_BUILT = "not_built"
    """Items of this kind have no such level."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """One level. `why` is a sentence, empty where its checks say enough."""

    level: int
    name: str
    standing: Standing
    why: str
    checks: tuple[Check, ...]

    @property
    def passed(self) -> int:
        return sum(1 for check in self.checks if check.status == Status.PASS)


def rungs(
    kind: Kind,
    *,
    verdict: Verdict,
    reached: int,
    asked: int | None,
    reason: str,
    checks: Sequence[Check],
) -> list[Rung]:
    """All six, from the lowest. `asked` None: the highest that could be reached at once."""
    by_level = _by_level(checks)
    found: list[Rung] = []
    settled = None
    for level, name in enumerate(LEVELS):
        made = tuple(by_level.get(level, ()))
        if any(check.status == Status.FAIL for check in made):
            standing, why = Standing.FAILED, "" if settled is not None else _said(reason)
        elif level > HIGHEST_LEVEL[kind]:
            standing, why = Standing.NOT_BUILT, f"Level {level} is not built for {_KINDS[kind]}."
        elif settled is not None and not made:
            standing, why = Standing.NOT_TRIED, f"Level {settled} settled it."
        elif level <= reached and (made or verdict not in _UNEXAMINED):
            standing, why = Standing.REACHED, "" if made else _nothing_between(kind, level)
        else:
            standing, why = _short_of(level, asked=asked, reason=reason, made=made)
        if settled is None and standing in {Standing.FAILED, Standing.UNKNOWN}:
            settled = level
        found.append(Rung(level=level, name=name, standing=standing, why=why, checks=made))
    return found


def of_no_level(checks: Iterable[Check]) -> tuple[Check, ...]:
    """Those that this release does not know: made by another."""
    return tuple(check for check in checks if check.name not in CHECKS)


def _by_level(checks: Iterable[Check]) -> dict[int, list[Check]]:
    found: dict[int, list[Check]] = {}
    for check in checks:
        if check.name in CHECKS:
            found.setdefault(CHECKS[check.name].level, []).append(check)
    return found


def _said(reason: str) -> str:
    return REASONS.get(reason, "")


def _nothing_between(kind: Kind, level: int) -> str:
    return f"Of {_KINDS[kind]} there is nothing to check at level {level}."


def _short_of(
    level: int, *, asked: int | None, reason: str, made: Sequence[Check]
) -> tuple[Standing, str]:
    """Why a rung was not reached, though nothing on it failed."""
    if asked is not None and level > asked and not made:
        return Standing.NOT_ASKED, f"Level {asked} was asked."
    if asked is None and reason == "ok" and not made:
        return Standing.NOT_ASKED, _BEYOND_DEFAULT.get(level, "It was not asked for.")
    if made and all(check.status == Status.PASS for check in made):
        return Standing.UNKNOWN, "Its checks passed, and a level below was not reached."
    return Standing.UNKNOWN, _said(reason) or "A level below was not reached."


_UNEXAMINED = {Verdict.ERROR, Verdict.NOT_FOUND}
_KINDS = {
    Kind.TX: "a transaction",
    Kind.BLOCK: "a block",
    Kind.ADDRESS: "an address",
    Kind.HEAD: "the head",
}
_BEYOND_DEFAULT = {
    4: "Where no level is asked, 4 is the highest on a deployment that has a checkpoint.",
    5: "Level 5 takes time, so it is only asked for by name.",
}
