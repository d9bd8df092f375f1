"""Targets by week and key figures, each against what is measured here."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.pages.roadmap_states import GATES
from console.pages.roadmap_wish import Wish
from console.pages.states import State
from console.roadmap.gates.standing import Measured
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Kpi, Mark, Programme, Target

_UNKNOWN = Measured(
    value=None, unit="", why="nobody measures it yet", points=(), link="", age_s=None, meets=None
)
_COUNTS = frozenset({"", "count"})


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetRow:
    """`marks`: each with whether it is reached; None where nothing is measured."""

    target: Target
    measured: Measured

    @property
    def marks(self) -> list[tuple[Mark, str, bool | None]]:
        known = self.measured.value is not None
        return [
            (mark, _span(mark.at), mark.when in self.measured.reached if known else None)
            for mark in self.target.marks
        ]

    @property
    def unit(self) -> str:
        return "" if self.target.unit in _COUNTS else self.target.unit

    @property
    def value(self) -> str:
        return _value(self.measured)

    @property
    def state(self) -> State:
        return state_of(self.measured)


@dataclass(frozen=True, slots=True, kw_only=True)
class KpiRow:
    kpi: Kpi
    measured: Measured

    @property
    def wanted(self) -> str:
        sign = {"<=": "≤", ">=": "≥"}.get(self.kpi.comparison, self.kpi.comparison)
        unit = "" if self.kpi.unit in _COUNTS else f"\u202f{self.kpi.unit}"
        return f"{sign} {number(self.kpi.value)}{unit}"

    @property
    def value(self) -> str:
        return _value(self.measured)

    @property
    def state(self) -> State:
        return state_of(self.measured)


def targets(
    measured: Mapping[str, Measured], wish: Wish
) -> list[tuple[Programme, list[TargetRow]]]:
    found = (
        TargetRow(target=each, measured=measured.get(each.id, _UNKNOWN))
        for each in roadmap().targets
        if wish.finds(each.id, each.metric, each.note)
    )
    return _grouped((row.target.programme, row) for row in found)


def kpis(measured: Mapping[str, Measured], wish: Wish) -> list[tuple[Programme, list[KpiRow]]]:
    found = (
        KpiRow(kpi=each, measured=measured.get(each.id, _UNKNOWN))
        for each in roadmap().kpis
        if wish.finds(each.id, each.group, each.metric)
    )
    return _grouped((row.kpi.programme, row) for row in found)


def state_of(measured: Measured) -> State:
    if measured.meets is None:
        return GATES["no_data"]
    return _MET if measured.meets else _NOT_MET


def number(value: float) -> str:
    """As few digits as it has, three that matter at least."""
    return f"{value:,.0f}".replace(",", "\u202f") if abs(value) >= _PLAIN else f"{value:.3g}"


def _grouped[R](rows: Iterable[tuple[str, R]]) -> list[tuple[Programme, list[R]]]:
    by_programme: dict[str, list[R]] = {}
    for programme, row in rows:
        by_programme.setdefault(programme, []).append(row)
    return [
        (each, by_programme[each.id]) for each in roadmap().programmes if each.id in by_programme
    ]


def _value(measured: Measured) -> str:
    if measured.value is None:
        return ""
    unit = "" if measured.unit in _COUNTS else f"\u202f{measured.unit}"
    return f"{number(measured.value)}{unit}"


def _span(at: tuple[float, ...]) -> str:
    return " to ".join(number(value) for value in at)


_PLAIN = 1_000
_MET = State(glyph="closed", word="Met")
_NOT_MET = State(glyph="open", word="Not met")
