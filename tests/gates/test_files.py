"""Everything that the sources ask for is a gate, and whatever a gate names is there."""

import ast
import re
import shutil
from functools import cache
from pathlib import Path

import pytest

from console.experiments import claims
from console.roadmap.gates.files import asked, read_asked
from console.roadmap.gates.judged import Judged
from console.roadmap.gates.reckoning import read_of
from console.roadmap.gates.rows import (
    ByAlerts,
    ByEvidence,
    ByLevel,
    ByLimits,
    ByNothing,
    ByTest,
    Gate,
)
from console.roadmap.programmes import roadmap
from console.roadmap.reading import FOLDER, DataError
from console.roadmap.rows import Kpi, Phase, Target
from monitoring.alerts.catalogue import RULES
from monitoring.history import figures
from tests.gates import table

ROOT = Path(__file__).parents[2]
PHASES = [phase for programme in roadmap().programmes for phase in programme.phase]
WANTED: tuple[Target | Kpi, ...] = (*roadmap().targets, *roadmap().kpis)
# The sources' lists of what each phase delivers, and how many rows they have.
DELIVERED = {"roadmap.1": 8, "roadmap.2": 6, "roadmap.3": 7, "bottlenecks.1": 5, "io.p1": 3}


@pytest.mark.parametrize("optimisation", roadmap().planned)
def test_every_criterion_of_an_optimisation_is_a_gate_of_it(optimisation: str) -> None:
    found = [row.title for row in asked().gates if optimisation in row.optimisations]
    for criterion in roadmap().planned[optimisation].criteria:
        assert found.count(criterion) == 1, criterion
    assert set(found) == set(roadmap().planned[optimisation].criteria) | _more(optimisation)


def _more(optimisation: str) -> set[str]:
    """Phase gates are of what they name too, however that is called there."""
    return {
        row.title
        for row in asked().gates
        if optimisation in row.optimisations and row.kind in {"phase gate", "quality gate"}
    }


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.id)
def test_every_gate_of_a_phase_is_one(phase: Phase) -> None:
    kinds = {"phase gate", "quality gate"}
    found = [row.title for row in asked().gates if row.phase == phase.id and row.kind in kinds]
    assert sorted(found) == sorted(phase.gate)


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.id)
def test_what_every_phase_delivers_is_one(phase: Phase) -> None:
    found = [row for row in asked().gates if row.phase == phase.id and row.kind == "deliverables"]
    assert len(found) == (0 if phase.id == "roadmap.end" else 1)
    if phase.id in DELIVERED:
        assert len(getattr(found[0].by, "of", ())) == DELIVERED[phase.id]


def test_every_key_figure_and_target_is_measured_or_says_why_not() -> None:
    found, ids = asked(), {row.id for row in asked().gates}
    assert {row.id for row in roadmap().kpis} <= ids
    for row in WANTED:
        said = found.why_not.get(row.id, "")
        assert row.id in found.measure_of or row.id in ids or len(said) > 40


def test_key_figures_keep_the_sources_value_and_side() -> None:
    gates = {row.id: row.by for row in asked().gates}
    for kpi in roadmap().kpis:
        by = gates[kpi.id]
        if not isinstance(by, ByNothing):
            assert (by.sign, by.value) == (kpi.comparison, kpi.value), kpi.id  # type: ignore[union-attr]


def test_a_figure_is_in_the_unit_that_is_asked_in() -> None:
    found = asked()
    for row in WANTED:
        if row.id in found.measure_of:
            assert found.measures[found.measure_of[row.id]].unit == row.unit, row.id


_NUMBER = re.compile(r"\d+(?: \d{3})*(?:\.\d+)?")
# By hand: what is left of a body that shrinks by 30 %; the time that is left of an item at 3 times
# the throughput, and of a call at 70 % more; growth that is none, in so many hours.
_IN_OTHER_WORDS = {
    "1.4.a": 100 - 30,
    "1.6.b": 1 / 3 - 1,
    "2.5.d": 1 / 1.7 - 1,
    "bottlenecks.1.leak": 5,
}


def test_numbers_of_a_title_are_what_it_is_judged_by() -> None:
    for row in asked().gates:
        value = getattr(row.by, "value", None)
        said = [float(each.replace(" ", "")) for each in _NUMBER.findall(row.title)]
        if value is None or not said or row.kind == "kpi":
            continue
        if row.id in _IN_OTHER_WORDS:
            assert value == pytest.approx(_IN_OTHER_WORDS[row.id], abs=0.005), row.id
            continue
        of_share = isinstance(row.by, ByEvidence) and not row.by.unit
        asked_for = round(abs(value) * (100 if of_share else 1), 6)
        assert asked_for in said, row.id


def test_what_is_said_with_a_number_is_not_judged_without_one() -> None:
    for row in asked().gates:
        if isinstance(row.by, ByEvidence) and _NUMBER.search(row.title):
            assert row.by.value is not None, row.id


def test_ids_are_unique_and_every_row_has_its_lines() -> None:
    ids = [row.id for row in asked().gates]
    assert len(ids) == len(set(ids))
    assert all(row.lines for row in asked().gates)


def test_lines_are_of_the_phases_gate() -> None:
    """Where a phase says on which lines its gates are, they are there."""
    of = {phase.id: phase.gate_lines for phase in PHASES}
    for row in asked().gates:
        if row.kind == "phase gate" and row.phase in of:
            first, _, last = of[row.phase].partition("-")
            assert int(first) <= int(row.lines) <= int(last or first), row.id


@pytest.mark.parametrize(
    "test",
    sorted({test for row in asked().gates if isinstance(row.by, ByTest) for test in row.by.tests}),
)
def test_every_test_that_a_gate_names_is_there(test: str) -> None:
    place, _, name = test.partition("::")
    assert name in _functions(place)


@cache
def _functions(place: str) -> frozenset[str]:
    tree = ast.parse((ROOT / place).read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


def test_claims_rules_and_limits_that_gates_name_are_there() -> None:
    for row in asked().gates:
        match row.by:
            case ByEvidence(claims=named):
                assert set(named) <= claims.claims().keys(), row.id
            case ByLevel(claim=claim):
                assert claim in claims.claims(), row.id
            case ByAlerts(rules=rules):
                assert all(any(key.startswith(rule) for key in RULES) for rule in rules), row.id
            case ByLimits(limits=limits, readiness=readiness):
                assert bool(limits) != readiness, row.id
            case ByNothing(why=why):
                assert len(why) > 40, row.id


def test_figures_are_of_the_history() -> None:
    source = Path(figures.__file__).read_text(encoding="utf-8")
    for measure in asked().measures.values():
        for name in read_of(measure):
            last = name.rpartition(".")[2]
            known = name in figures._SUMS or f'"{name}"' in source or last in source
            assert known or name == "replicas.lag_s", name


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "data"))


@pytest.mark.parametrize(
    ("file", "old", "new", "said"),
    [
        ("gates.toml", 'optimisations = ["1.4"]', 'optimisations = ["9.9"]', "'9.9'"),
        ("gates.toml", 'measure = "db_pool"', 'measure = "none"', "there is no 'none'"),
        ("gates.toml", 'phase = "roadmap.1"', 'phase = "io.p1"', "roadmap has no 'io.p1'"),
        ("gates.toml", 'kind = "nothing"', 'kind = "guess"', "guess"),
        ("gates.toml", 'id = "1.1.b"', 'id = "1.1.a"', "another row has it"),
        ("measures.toml", 'of = ["roadmap.kpi.1"]', "of = []", "roadmap.kpi.1"),
        ("measures.toml", 'kpi.1"]', 'kpi.1", "roadmap.kpi.2"]', "roadmap.kpi.2"),
        ("measures.toml", 'kpi.1"]', 'kpi.1", "roadmap.kpi.99"]', "roadmap.kpi.99"),
        ("measures.toml", 'family = "http"\n', "", "a measure is of figures"),
    ],
)
def test_what_does_not_hold_together_is_refused_by_its_row(
    folder: Path, file: str, old: str, new: str, said: str
) -> None:
    path = folder / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(DataError, match=file) as caught:
        read_asked(folder, roadmap())
    assert said in str(caught.value)


def test_the_document_is_what_the_files_say() -> None:
    assert table.PLACE.read_text(encoding="utf-8") == table.written(), f"renew it: {table.RENEW}"


def test_a_gate_and_what_is_judged_of_it_have_the_same_names() -> None:
    shared = {"id", "phase", "programme", "kind", "title", "lines", "optimisations"}
    assert shared <= set(Gate.__struct_fields__)
    assert shared <= set(Judged.__dataclass_fields__)
