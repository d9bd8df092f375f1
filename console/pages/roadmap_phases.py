"""The phases of all programmes: how far their optimisations are, and the gate that comes next."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from console.pages import roadmap_states
from console.pages.roadmap_rows import Row
from console.pages.roadmap_states import GATES
from console.pages.states import State
from console.roadmap import costs
from console.roadmap.gates.standing import Judged
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Phase, Programme
from console.roadmap.status import WORDS

_WAITING: Final = ("fail", "no_data")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """So many of one state; `shade` is how a bar draws it."""

    state: str
    words: str
    shade: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Gates by what came of them, those that pass by what they rest on."""

    total: int
    measured: int
    by_test: int
    built: int
    failed: int
    no_data: int
    not_measurable: int

    @classmethod
    def of(cls, gates: Sequence[Judged]) -> "Tally":
        states = Counter(each.state for each in gates)
        held = Counter(each.by for each in gates if each.state == "pass")
        return cls(
            total=len(gates),
            measured=held["measured"] + held["experiment"],
            by_test=held["test"],
            built=held["release"],
            failed=states["fail"],
            no_data=states["no_data"],
            not_measurable=states["not_measurable"],
        )

    @property
    def held(self) -> int:
        """Those that nobody measured, and that hold."""
        return self.by_test + self.built

    @property
    def words(self) -> str:
        """`2 of 9 pass, 1 held by a test, 1 built, 5 cannot be measured here`."""
        passed = f"{self.measured} of {self.total} pass"
        return f"{passed}, {self.rest}" if self.rest else passed

    @property
    def rest(self) -> str:
        parts = [
            (self.by_test, f"held by {'a test' if self.by_test == 1 else 'tests'}"),
            (self.built, "built"),
            (self.failed, "fail" if self.failed > 1 else "fails"),
            (self.no_data, "without data"),
            (self.not_measurable, "cannot be measured here"),
        ]
        return ", ".join(f"{number} {words}" for number, words in parts if number)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseRow:
    """`phase` None: what a programme proposes outside of its phases."""

    phase: Phase | None
    total: int
    parts: tuple[Part, ...]
    gates: tuple[Judged, ...]
    hours: costs.Hours | None

    @property
    def next_gate(self) -> Judged | None:
        """The first that fails, or else has no data, the phase's own before criteria: what cannot
        be measured here would be the next for ever.
        """
        own_first = sorted(self.gates, key=lambda each: each.kind == "criterion")
        waiting = (each for state in _WAITING for each in own_first if each.state == state)
        return next(waiting, None)

    @property
    def tally(self) -> Tally:
        return Tally.of(self.gates)

    @property
    def gate_state(self) -> State | None:
        return gate_state(self.next_gate) if self.next_gate else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgrammeRows:
    programme: Programme
    total: int
    rows: tuple[PhaseRow, ...]


def load(rows: Sequence[Row], judged: Iterable[Judged]) -> list[ProgrammeRows]:
    gates = tuple(judged)
    return [_programme(each, rows, gates) for each in roadmap().programmes]


def parts(rows: Iterable[Row]) -> tuple[Part, ...]:
    """All states in their order, those too that nothing has."""
    counted = Counter(row.seen.state for row in rows)
    return tuple(
        Part(state=str(state), words=WORDS[state], shade=shade, number=counted[state])
        for state, shade in roadmap_states.ORDER
    )


def gate_state(gate: Judged) -> State:
    shown = GATES[gate.state]
    return replace(shown, word=gate.word.capitalize()) if gate.state == "pass" else shown


def _programme(
    programme: Programme, rows: Sequence[Row], gates: tuple[Judged, ...]
) -> ProgrammeRows:
    mine = [row for row in rows if row.programme.id == programme.id]
    found = [_phase(phase, mine, gates) for phase in programme.phase]
    if outside := [row for row in mine if not row.seen.planned.phase]:
        found.append(_row(None, outside, ()))
    return ProgrammeRows(programme=programme, total=len(mine), rows=tuple(found))


def _phase(phase: Phase, rows: Iterable[Row], gates: tuple[Judged, ...]) -> PhaseRow:
    mine = [row for row in rows if row.seen.planned.phase == phase.id]
    return _row(phase, mine, tuple(each for each in gates if each.phase == phase.id))


def _row(phase: Phase | None, rows: Sequence[Row], gates: tuple[Judged, ...]) -> PhaseRow:
    return PhaseRow(
        phase=phase,
        total=len(rows),
        parts=parts(rows),
        gates=gates,
        hours=costs.hours(roadmap(), phase) if phase else None,
    )
