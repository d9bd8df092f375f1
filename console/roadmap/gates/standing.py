"""How the gates stand now, and what is measured of each target and key figure."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Final

from django.utils import timezone

from console.controls.errors import ControlError
from console.roadmap.gates import gathering
from console.roadmap.gates.facts import Facts
from console.roadmap.gates.files import asked
from console.roadmap.gates.judged import Ground, Judged, Measured, State
from console.roadmap.gates.judging import compare, judge
from console.roadmap.gates.reckoning import Points, Reckoned
from console.roadmap.gates.rows import (
    ByBuilt,
    ByEvidence,
    ByLevel,
    ByNothing,
    ByTest,
    Gate,
    Measure,
    Sign,
    Way,
)
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Kpi, Target
from console.roadmap.status import Finding

__all__ = ["Judged", "Measured", "State", "UnknownPhase", "judge_all", "measured", "memory_mb"]

KIND: Final = "gate"
# What it is made of is looked at every ten seconds.
_FRESH_S: Final = 10.0
_MEMORY: Final = "memory_gb"
_HOLDS: Final[Mapping[State, bool | None]] = {"pass": True, "fail": False}


class UnknownPhase(ControlError):
    pass


class _Kept[T]:
    """What was reckoned a moment ago: of many who ask at once one asks the servers."""

    def __init__(self, make: Callable[[datetime], T]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._kept: tuple[float, T] | None = None

    def read(self, now: datetime | None) -> T:
        """As of `now`, or else of the last seconds."""
        if now is not None:
            return self._make(now)
        with self._lock:
            if self._kept is None or time.monotonic() - self._kept[0] > _FRESH_S:
                self._kept = (time.monotonic(), self._make(timezone.now()))
            return self._kept[1]

    def forget(self) -> None:
        with self._lock:
            self._kept = None


def judge_all(phase: str | None = None, now: datetime | None = None) -> tuple[Judged, ...]:
    """Every gate, or those of a phase ("roadmap.1") or of a programme ("roadmap") with its key
    figures, in the sources' order. Without `now` as of the last ten seconds. Raises UnknownPhase.
    """
    if phase is not None and phase not in names():
        known = ", ".join(names())
        raise UnknownPhase(f"There is no phase or programme {phase[:40]!r}; there are {known}.")
    found = _judged.read(now)
    return found if phase is None else tuple(one for one in found if _is_of(one, phase))


def measured(now: datetime | None = None) -> Mapping[str, Measured]:
    """By the id of a target or key figure, every one. Without `now` as of the last ten seconds."""
    return _measured.read(now)


def memory_mb(now: datetime | None = None) -> float | None:
    """What all processes and the cache server take, in MB; None: not known."""
    row = asked().measures[_MEMORY]
    told = gathering.reckoned([row], now or timezone.now()).get(_MEMORY)
    return None if told is None or told.value is None else told.value * 1000


def names() -> tuple[str, ...]:
    """Of programmes and phases, in their order."""
    return tuple(
        name for each in roadmap().programmes for name in (each.id, *(p.id for p in each.phase))
    )


def findings() -> Iterator[Finding]:
    """Of each optimisation that a gate names. What is not known, or cannot be, keeps it open."""
    for one in judge_all():
        for optimisation in one.optimisations:
            words = f"{one.title}: {one.word}. {one.why}"
            yield Finding(
                optimisation=optimisation,
                kind=KIND,
                key=one.id,
                holds=_HOLDS.get(one.state),
                words=words,
                is_measured=one.by in {"measured", "experiment"},
            )


def forget() -> None:
    """So that what is asked next is looked at anew."""
    _judged.forget()
    _measured.forget()


def _judge_all(now: datetime) -> tuple[Judged, ...]:
    found = asked()
    facts = gathering.gather(found.measures.values(), now)
    return tuple(_one(gate, facts) for gate in found.gates)


def _one(gate: Gate, facts: Facts) -> Judged:
    found = judge(gate.by, gate.phase, facts, asked().known)
    return Judged(
        id=gate.id,
        phase=gate.phase,
        programme=gate.programme,
        kind=gate.kind,
        title=gate.title,
        source=roadmap().programme(gate.programme).document,
        lines=gate.lines,
        state=found.state,
        value=found.value,
        wanted=found.wanted,
        unit=found.unit,
        window_s=found.window_s,
        samples=found.samples,
        least=found.least,
        why=found.why,
        link=found.link,
        optimisations=gate.optimisations,
        by=_ground(gate.by),
    )


def _ground(by: Way) -> Ground:
    match by:
        case ByEvidence() | ByLevel():
            return "experiment"
        case ByTest():
            return "test"
        case ByBuilt():
            return "release"
        case ByNothing():
            return "nothing"
    return "measured"


def _is_of(one: Judged, phase: str) -> bool:
    return phase in {one.phase, one.programme}


def _measure_all(now: datetime) -> Mapping[str, Measured]:
    found = asked()
    told = gathering.reckoned(found.measures.values(), now)
    lines = gathering.lines(found.measures.values(), now)
    rows: tuple[Target | Kpi, ...] = (*roadmap().targets, *roadmap().kpis)
    left = {row.id for row in rows} - found.measure_of.keys()
    facts = gathering.gather((), now)
    judged = {gate.id: _one(gate, facts) for gate in found.gates if gate.id in left}
    return {
        row.id: _measured_of(row, found.measures[found.measure_of[row.id]], told, lines)
        if row.id in found.measure_of
        else _unmeasured(row, found.why_not.get(row.id, ""), judged.get(row.id))
        for row in rows
    }


def _unmeasured(row: Target | Kpi, why: str, judged: Judged | None) -> Measured:
    """What no figure of the history says: perhaps its own gate does."""
    return Measured(
        value=judged.value if judged else None,
        unit=judged.unit if judged and judged.unit else row.unit,
        why=why or (judged.why if judged else ""),
        points=(),
        link=judged.link if judged else "",
        age_s=None,
        meets=_HOLDS.get(judged.state) if judged else None,
    )


def _measured_of(
    row: Target | Kpi, measure: Measure, told: Mapping[str, Reckoned], lines: Mapping[str, Points]
) -> Measured:
    reckoned = told.get(measure.id, Reckoned(why="The history cannot be read now."))
    marks = _marks(row)
    reached = tuple(when for when, sign, at in marks if _meets(measure, sign, at, reckoned))
    return Measured(
        value=reckoned.value,
        unit=measure.unit,
        why=reckoned.why or reckoned.idle or measure.note,
        points=lines.get(measure.id, ()),
        link=measure.link,
        age_s=reckoned.age_s,
        meets=_meets(measure, *marks[-1][1:], reckoned),
        reached=reached if isinstance(row, Target) else (),
    )


def _marks(row: Target | Kpi) -> tuple[tuple[str, Sign, float], ...]:
    """(when, which side of what): of a span the end that is easier to reach."""
    if isinstance(row, Kpi):
        return (("", row.comparison, row.value),)
    if row.better == "less":
        return tuple((mark.when, "<=", max(mark.at)) for mark in row.marks)
    return tuple((mark.when, ">=", min(mark.at)) for mark in row.marks)


def _meets(measure: Measure, sign: Sign, wanted: float, told: Reckoned) -> bool | None:
    if told.value is None:
        return None
    side = compare(sign, wanted, told.low, told.high)
    undecided = (measure.asked and not side) or (bool(told.idle) and side)
    return None if undecided else side


_judged: Final = _Kept(_judge_all)
_measured: Final = _Kept(_measure_all)
