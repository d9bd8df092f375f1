"""Optimisations as rows of the roadmap's list: filtered, searched and sorted by the address."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.urls import reverse

from console.pages import roadmap_states
from console.pages.roadmap_claims import ClaimRow, Claims, verdict_of
from console.pages.roadmap_wish import DECISIONS, NO_PHASE, Wish
from console.pages.states import State
from console.roadmap.edits import PRIORITIES
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Effect, Programme
from console.roadmap.seen import Seen

_DASH: Final = "\N{MINUS SIGN}"
_RANK: Final[Mapping[str, int]] = {
    "refuted": 0, "inconclusive": 1, "proved": 2, "none": 3
}  # fmt: skip
_PLACES: Final = {state: place for place, (state, _) in enumerate(roadmap_states.ORDER)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One optimisation; `claims` are those that it is measured by."""

    seen: Seen
    programme: Programme
    claims: tuple[ClaimRow, ...]
    # Why its claim cannot be measured here; "": it can, or it makes none.
    unmeasurable: str

    @property
    def key(self) -> str:
        return self.seen.row.id

    @property
    def href(self) -> str:
        return reverse("optimisation", args=[self.key])

    @property
    def state(self) -> State:
        return roadmap_states.of(self.seen.state, self.seen.status)

    @property
    def decision(self) -> str:
        return DECISIONS[self.seen.row.decision]

    @property
    def claimed(self) -> list[str]:
        return [effect_words(each) for each in self.seen.planned.effects]

    @property
    def verdict(self) -> str:
        return verdict_of(self.claims)

    @property
    def phase(self) -> str:
        found = (one for one in self.programme.phase if one.id == self.seen.planned.phase)
        return next((one.title for one in found), "")

    @property
    def way_back(self) -> str:
        """In a line: of what a flag decides it is always the same."""
        return "" if self.seen.row.decision == "flag" else self.seen.row.rollback

    @property
    def texts(self) -> tuple[str, ...]:
        """What a search finds it by."""
        row, planned, edit = self.seen.row, self.seen.planned, self.seen.edit
        written = (edit.owner, edit.note) if edit else ()
        metrics = (each.metric for each in planned.effects)
        return (row.id, row.title, row.reason, row.rollback, *row.flags, *metrics, *written)


def load(seen: Iterable[Seen], claims: Claims) -> list[Row]:
    """In the sources' order."""
    programmes = {each.id: each for each in roadmap().programmes}
    return [
        Row(
            seen=each,
            programme=programmes[each.row.programme],
            claims=claims.of(each.row.id),
            unmeasurable=" ".join(one.why for one in claims.open_of(each.row.id)),
        )
        for each in seen
    ]


def wanted(rows: Iterable[Row], wish: Wish) -> list[Row]:
    """Those that are asked for, in the order that is."""
    found = [row for row in rows if _wants(wish, row)]
    match wish.sort:
        case "state":
            found.sort(key=lambda row: _PLACES[row.seen.state])
        case "priority":
            found.sort(key=lambda row: PRIORITIES.index(row.seen.priority))
        case "effort":
            found.sort(key=lambda row: -(row.seen.planned.effort_h or -1))
        case "evidence":
            found.sort(key=lambda row: _RANK[row.verdict])
    return found


def groups(rows: Sequence[Row], wish: Wish) -> list[tuple[Programme | None, list[Row]]]:
    """By programme; in one group without a name where they are sorted by something else."""
    if wish.sort != "source":
        return [(None, list(rows))]
    found = [
        (each, [row for row in rows if row.programme.id == each.id])
        for each in roadmap().programmes
    ]
    return [(each, members) for each, members in found if members]


def effect_words(effect: Effect) -> str:
    """`−70 to −60 % time of a validation`, `memory: no timer leaks`."""
    if effect.low is None or effect.high is None:
        return f"{effect.metric}: {effect.words}"
    low, high = (f"{value:+g}".replace("-", _DASH) for value in (effect.low, effect.high))
    return f"{low if low == high else f'{low} to {high}'}\u202f{effect.unit} {effect.metric}"


def _wants(wish: Wish, row: Row) -> bool:
    phase = row.seen.planned.phase or NO_PHASE
    return (
        (not wish.programme or row.programme.id == wish.programme)
        and (not wish.phase or phase == wish.phase)
        and (not wish.state or row.seen.state == wish.state)
        and (not wish.decision or row.seen.row.decision == wish.decision)
        and (not wish.evidence or row.verdict == wish.evidence)
        and wish.finds(*row.texts)
    )
