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
    failed = _first(by_level, Status.FAIL) if verdict is not Verdict.VALID else None
    found = []
    for level, name in enumerate(LEVELS):
        made = tuple(by_level.get(level, ()))
        if level == failed or any(check.status == Status.FAIL for check in made):
            standing, why = Standing.FAILED, REASONS.get(reason, "") if level == failed else ""
        elif level <= reached and verdict not in {Verdict.ERROR, Verdict.NOT_FOUND}:
            standing, why = Standing.REACHED, "" if made else _nothing_between(kind, level)
        else:
            standing, why = _short_of(kind, level, asked=asked, reason=reason, made=made)
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


def _first(by_level: dict[int, list[Check]], status: Status) -> int | None:
    levels = (lv for lv, made in by_level.items() if any(c.status == status for c in made))
    return min(levels, default=None)


def _nothing_between(kind: Kind, level: int) -> str:
    return f"Of {_KINDS[kind]} there is nothing to check at level {level}."


def _short_of(
    kind: Kind, level: int, *, asked: int | None, reason: str, made: Sequence[Check]
) -> tuple[Standing, str]:
    """Why a rung was not reached, though nothing on it failed."""
    if level > HIGHEST_LEVEL[kind]:
        return Standing.NOT_BUILT, f"Level {level} is not built for {_KINDS[kind]}."
    if asked is not None and level > asked:
        return Standing.NOT_ASKED, f"Level {asked} was asked."
    if not made and asked is None and reason == "ok":
        return Standing.NOT_ASKED, _BEYOND_DEFAULT.get(level, "It was not asked for.")
    if any(check.status == Status.SKIP for check in made):
        return Standing.UNKNOWN, REASONS.get(reason, "")
    if made:
        return Standing.UNKNOWN, "Its checks passed, and a level below was not reached."
    return Standing.UNKNOWN, REASONS.get(reason, "A level below was not reached.")


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
