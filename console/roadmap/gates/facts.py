"""What gates are judged by: of one moment, gathered at most once for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from console.roadmap.gates.reckoning import Reckoned


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Of the newest experiment of a claim that came to one."""

    verdict: str
    # Of the effect: estimate, from, to. None: it was kept without.
    effect: tuple[float, float, float] | None
    # What the treatment came to, in the claim's unit.
    level: float | None
    # What the baseline came to, where the effect is a share of it.
    baseline: float | None = None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A limit, a point of readiness, or a drill. `holds` None: not known."""

    holds: bool | None
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """`until`: when it cleared; of one that still fires, now."""

    rule: str
    severity: str
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """`alerts` None: Postgres cannot be asked. Whatever is not in a mapping is not known."""

    now: datetime
    measures: Mapping[str, Reckoned] = field(default_factory=dict)
    verdicts: Mapping[str, Verdict] = field(default_factory=dict)
    limits: Mapping[str, Point] = field(default_factory=dict)
    readiness: Mapping[str, Point] = field(default_factory=dict)
    alerts: tuple[Fired, ...] | None = None
    # By flag and variant: what its newest rehearsal came to, None where it says nothing of now.
    drills: Mapping[tuple[str, str], Point] = field(default_factory=dict)


def verdict_of(verdict: str, found: Mapping[str, Any], ended_at: datetime | None) -> Verdict:
    effect, means = found.get("effect") or {}, found.get("means") or {}
    known = all(name in effect for name in ("estimate", "low", "high"))
    return Verdict(
        verdict=verdict,
        effect=(effect["estimate"], effect["low"], effect["high"]) if known else None,
        level=means.get("treatment"),
        baseline=means.get("baseline") if effect.get("scale") == "ratio" else None,
        ended_at=ended_at,
    )
