"""Gates and measures as the release ships them: each file read once, and held together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from console.roadmap import decisions
from console.roadmap.gates.judging import Known, Steered
from console.roadmap.gates.rows import (
    ByAlerts,
    ByBuilt,
    ByDrills,
    ByMeasure,
    ByNothing,
    Gate,
    Measure,
    Unmeasured,
)
from console.roadmap.programmes import Roadmap, roadmap
from console.roadmap.reading import FOLDER, DataError, read
from console.roadmap.rows import Kpi


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Everything that is asked for, key figures last; `why_not` is of targets and key figures."""

    gates: tuple[Gate, ...]
    measures: Mapping[str, Measure]
    # By target or key figure: its measure, or why there is none.
    measure_of: Mapping[str, str]
    why_not: Mapping[str, str]
    known: Known


@cache
def asked() -> Asked:
    """As this release ships it; raises DataError."""
    return read_asked(FOLDER, roadmap())


def read_asked(folder: Path, found: Roadmap) -> Asked:
    """Raises DataError where a row names what is not there, or a target or key figure has neither
    a measure, nor a reason, nor a gate of its own name.
    """
    path = folder / "measures.toml"
    measures = {row.id: row for row in read(path, "measure", Measure)}
    left = read(path, "unmeasured", Unmeasured)
    gates = read(folder / "gates.toml", "gate", Gate)
    measure_of = {name: row.id for row in measures.values() for name in row.of}
    why_not = {name: row.why for row in left for name in row.of}
    wanted = [row.id for row in found.targets] + [row.id for row in found.kpis]
    named = [name for row in measures.values() for name in row.of]
    named += [name for row in left for name in row.of]
    own = {row.id for row in gates}
    for name in (*wanted, *named):
        if name not in wanted or named.count(name) > 1 or name not in {*named, *own}:
            wrong = "of: each target and key figure has one measure, or one why, or a gate"
            raise DataError(path, name, wrong)
    _hold_together(folder / "gates.toml", gates, measures, found)
    kpis = (row for row in found.kpis if row.id not in own)
    return Asked(
        gates=(*gates, *(_of_kpi(row, measure_of, why_not) for row in kpis)),
        measures=measures,
        measure_of=measure_of,
        why_not=why_not,
        known=Known(measures=measures, flags=_flags(found), built=_built()),
    )


def _of_kpi(row: Kpi, measure_of: Mapping[str, str], why_not: Mapping[str, str]) -> Gate:
    by: ByMeasure | ByNothing = ByNothing(why=why_not.get(row.id, ""))
    if row.id in measure_of:
        by = ByMeasure(measure=measure_of[row.id], sign=row.comparison, value=row.value)
    return Gate(
        id=row.id,
        programme=row.programme,
        kind="quality gate" if row.group == "quality gates" else "kpi",
        title=f"{row.group}: {row.metric}",
        lines=row.lines,
        by=by,
    )


def _hold_together(
    path: Path, gates: Iterable[Gate], measures: Mapping[str, Measure], found: Roadmap
) -> None:
    phases = {phase.id: each.id for each in found.programmes for phase in each.phase}
    for row in gates:
        if row.phase and phases.get(row.phase) != row.programme:
            raise DataError(path, row.id, f"phase: {row.programme} has no {row.phase!r}")
        named = (*row.optimisations, *(row.by.of if isinstance(row.by, ByBuilt) else ()))
        if unknown := sorted(set(named) - found.planned.keys()):
            raise DataError(path, row.id, f"there is no optimisation {unknown[0]!r}")
        if isinstance(row.by, ByMeasure | ByAlerts) and row.by.measure not in measures:
            raise DataError(path, row.id, f"by.measure: there is no {row.by.measure!r}")
        if isinstance(row.by, ByDrills) and not row.phase:
            raise DataError(path, row.id, "phase: drills are of a phase's flags")


def _flags(found: Roadmap) -> dict[str, tuple[Steered, ...]]:
    """Of each phase, the flags of its optimisations with what is asked of them, each once."""
    flags: dict[str, dict[Steered, None]] = {}
    for row in decisions.optimisations():
        planned = found.planned[row.id]
        asked_for = ((key, planned.variants.get(key, ())) for key in row.flags)
        flags.setdefault(planned.phase, {}).update(dict.fromkeys(asked_for))
    return {phase: tuple(keys) for phase, keys in flags.items()}


def _built() -> frozenset[str]:
    return frozenset(row.id for row in decisions.optimisations() if row.built)
