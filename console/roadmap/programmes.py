"""The roadmap of all sources: each file read once, and what one says of another held together.

What a source says of an optimisation is in `data/<programme>.toml`; what became of it here in
`decisions.toml`, under the same id.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from console.roadmap import decisions
from console.roadmap.decisions import PROGRAMMES, Optimisation
from console.roadmap.reading import FOLDER, DataError, read, read_one
from console.roadmap.rows import (
    Adr,
    Contradiction,
    Cost,
    Kpi,
    MemoryPart,
    Planned,
    Prices,
    Programme,
    Risk,
    Row,
    SourceList,
    Target,
    Threshold,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Roadmap:
    """Everything that the sources say, in their order."""

    programmes: tuple[Programme, ...]
    planned: Mapping[str, Planned]
    targets: tuple[Target, ...]
    kpis: tuple[Kpi, ...]
    thresholds: tuple[Threshold, ...]
    risks: tuple[Risk, ...]
    contradictions: tuple[Contradiction, ...]
    adrs: tuple[Adr, ...]
    costs: tuple[Cost, ...]
    prices: Prices
    memory: tuple[MemoryPart, ...]
    lists: tuple[SourceList, ...]

    def entries(self) -> Mapping[str, tuple[Row, ...]]:
        """What is kept a row each beside programmes, phases and optimisations, by its kind."""
        return {
            "target": self.targets,
            "kpi": self.kpis,
            "threshold": self.thresholds,
            "risk": self.risks,
            "contradiction": self.contradictions,
            "adr": self.adrs,
            "cost": self.costs,
            "list": self.lists,
        }

    def contradictions_of(self, id: str) -> tuple[Contradiction, ...]:  # noqa: A002 - its name
        return tuple(each for each in self.contradictions if id in each.optimisations)

    def adrs_of(self, id: str) -> tuple[Adr, ...]:  # noqa: A002 - its name
        return tuple(each for each in self.adrs if id in each.optimisations)

    def programme(self, id: str) -> Programme:  # noqa: A002 - its name
        return next(each for each in self.programmes if each.id == id)


@cache
def roadmap() -> Roadmap:
    """As this release ships it; raises DataError."""
    return read_roadmap(FOLDER, decisions.optimisations())


def read_roadmap(folder: Path, decided: Iterable[Optimisation]) -> Roadmap:
    """Raises DataError where a file cannot be read, or names what another does not have."""
    by_id = {row.id: row for row in decided}
    costs = folder / "costs.toml"
    found = Roadmap(
        programmes=read(folder / "programmes.toml", "programme", Programme),
        planned={row.id: row for name in PROGRAMMES for row in _planned(folder, name, by_id)},
        targets=read(folder / "targets.toml", "target", Target),
        kpis=read(folder / "kpis.toml", "kpi", Kpi),
        thresholds=read(folder / "thresholds.toml", "threshold", Threshold),
        risks=read(folder / "risks.toml", "risk", Risk),
        contradictions=read(folder / "contradictions.toml", "contradiction", Contradiction),
        adrs=read(folder / "adrs.toml", "adr", Adr),
        costs=read(costs, "cost", Cost),
        prices=read_one(costs, "prices", Prices),
        memory=read(costs, "memory", MemoryPart),
        lists=read(folder / "lists.toml", "list", SourceList),
    )
    if lacking := sorted(by_id.keys() - found.planned.keys()):
        path = folder / f"{by_id[lacking[0]].programme}.toml"
        raise DataError(path, "[[optimisation]]", f"no row of {lacking[0]}, which was decided")
    _hold_together(folder, found, by_id.values())
    return found


def _planned(
    folder: Path, programme: str, decided: Mapping[str, Optimisation]
) -> tuple[Planned, ...]:
    path = folder / f"{programme}.toml"
    rows = read(path, "optimisation", Planned)
    for row in rows:
        if row.id not in decided or decided[row.id].programme != programme:
            wrong = "id: decisions.toml decides none of it in this programme"
            raise DataError(path, f"[[optimisation]] {row.id}", wrong)
        if not decided[row.id].rollback.strip():
            wrong = "rollback: there is no way back from it in decisions.toml"
            raise DataError(path, f"[[optimisation]] {row.id}", wrong)
    return rows


def _hold_together(folder: Path, found: Roadmap, decided: Iterable[Optimisation]) -> None:
    """Whatever a row names is there."""
    ids = found.planned.keys()
    names = {row.id: row.programme for row in decided}
    phases = {phase.id for each in found.programmes for phase in each.phase} | {""}
    for row in found.planned.values():
        path = folder / f"{names[row.id]}.toml"
        _known(path, row.id, "phase", (row.phase,), phases)
        _known(path, row.id, "depends", row.depends, ids)
        _known(path, row.id, "same_as", row.same_as, ids)
    contradictions = {each.id for each in found.contradictions}
    for told in found.contradictions:
        _known(folder / "contradictions.toml", told.id, "optimisations", told.optimisations, ids)
    for adr in found.adrs:
        path = folder / "adrs.toml"
        _known(path, adr.id, "optimisations", adr.optimisations, ids)
        _known(path, adr.id, "contradictions", adr.contradictions, contradictions)
    for each in found.lists:
        _known(folder / "lists.toml", each.id, "of", (i for r in each.rows for i in r.of), ids)


def _known(path: Path, row: str, field: str, named: Iterable[str], there: Iterable[str]) -> None:
    if unknown := sorted(set(named) - set(there)):
        raise DataError(path, row, f"{field}: there is no {unknown[0]!r}")
