"""One limit of the fleet: what would be used at most, what is allowed, and what to do about it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import isinf
from typing import Any, Literal, Self

type Unit = Literal[
    "connections", "clients", "calls", "rate", "files", "workers", "bytes", "seconds"
]

OURS = "settings"
"""The source of what this process knows by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """`uses` and `allows` None: not known, and then `holds` is None too, which is never fine.

    `fix` is a line to copy, "" where nothing is to be done; `age_s` is that of the oldest figure
    in it, None where none of them grows old.
    """

    key: str
    title: str
    uses: float | None
    allows: float | None
    unit: Unit
    holds: bool | None
    explains: str
    fix: str
    source: str
    age_s: float | None = None

    @property
    def share(self) -> float:
        """Of what is allowed; for what allows nothing and is used all the same, more than all."""
        if self.uses is None or self.allows is None:
            return 0.0
        if self.allows <= 0:
            return float("inf") if self.uses > 0 else 0.0
        return self.uses / self.allows

    @property
    def standing(self) -> Literal["violated", "unknown", "holds"]:
        if self.holds is None:
            return "unknown"
        return "holds" if self.holds else "violated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Where figures come from, and how old the oldest of them is."""

    source: str
    age_s: float | None = None

    @classmethod
    def by(cls, ages: Mapping[str, float], source: str, *others: str) -> Self:
        """`others`: sources of the other figures in it."""
        found = [ages[name] for name in (source, *others) if name in ages]
        return cls(source=source, age_s=max(found, default=None))


def limit(
    key: str,
    title: str,
    *,
    uses: float | None,
    allows: float | None,
    unit: Unit,
    explains: str,
    fix: str,
    told: Told,
    strictly: bool = False,
) -> Limit:
    """`strictly`: as much as is allowed is too much already."""
    holds = None
    if uses is not None and allows is not None:
        holds = uses < allows if strictly else uses <= allows
    return Limit(
        key=key,
        title=title,
        uses=uses,
        allows=allows,
        unit=unit,
        holds=holds,
        explains=explains,
        # What holds needs nothing; of what nobody knows nothing can be said.
        fix=fix if holds is False else "",
        source=told.source,
        age_s=told.age_s,
    )


def as_json(one: Limit) -> dict[str, Any]:
    """What has no end has no number in JSON."""
    found = asdict(one)
    endless = {name for name in ("uses", "allows") if isinf(found[name] or 0)}
    return found | dict.fromkeys(endless)


def badness(one: Limit) -> tuple[int, float, str]:
    """Violated ones first, then what nobody knows, then the fullest."""
    return ("violated", "unknown", "holds").index(one.standing), -one.share, one.key
