"""The roadmap: phases, optimisations, claims, targets, contradictions, decisions and costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console.http import render_page
from console.pages import (
    roadmap_claims,
    roadmap_money,
    roadmap_phases,
    roadmap_rows,
    roadmap_said,
    roadmap_targets,
)
from console.pages.roadmap_claims import Claims
from console.pages.roadmap_phases import ProgrammeRows
from console.pages.roadmap_rows import Row
from console.pages.roadmap_states import ORDER
from console.pages.roadmap_wish import (
    DECISIONS,
    EVIDENCE,
    LIST,
    NO_PHASE,
    SORTS,
    VIEWS,
    Wish,
)
from console.roadmap import compounding, seen
from console.roadmap.gates import standing
from console.roadmap.gates.standing import Judged, Measured
from console.roadmap.programmes import roadmap
from console.roadmap.status import WORDS
from console.rollouts import seen as rollouts
from console.rollouts.seen import RolloutSeen

TEMPLATE = "console/roadmap.html"
# At most one goes on a layer: those that do are among the newest.
_ROLLOUTS = 50
REGIONS = ("figures",)
TOPICS = "roadmap"


@dataclass(frozen=True, kw_only=True)
class Standing:
    """How all of it stands at one moment; what a view does not show is not asked for."""

    rows: Sequence[Row]
    claims: Claims

    @classmethod
    def look(cls) -> "Standing":
        claims = roadmap_claims.load()
        return cls(rows=roadmap_rows.load(seen.all_of_them(), claims), claims=claims)

    @cached_property
    def gates(self) -> tuple[Judged, ...]:
        return standing.judge_all()

    @cached_property
    def measured(self) -> Mapping[str, Measured]:
        return standing.measured()

    @cached_property
    def rollouts(self) -> tuple[RolloutSeen, ...]:
        """Those that go on."""
        return tuple(one for one in rollouts.all_of_them(most=_ROLLOUTS) if one.is_active)

    @cached_property
    def programmes(self) -> list[ProgrammeRows]:
        return roadmap_phases.load(self.rows, self.gates)


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    wish = Wish.of(request.GET)
    context = {**load(wish), "topics": TOPICS}
    return render_page(request, TEMPLATE, "view", context, status=422 if wish.refused else 200)


def load(wish: Wish | None = None) -> dict[str, Any]:
    wish, found = wish or Wish(), Standing.look()
    return {
        "section": "roadmap",
        "wish": wish,
        "views": _views(found),
        **figures(found),
        **_view(wish, found),
    }


def load_live() -> dict[str, Any]:
    """What is pushed: each view asks for itself once the figures have changed."""
    return {"section": "roadmap", **figures(Standing.look())}


def figures(found: Standing) -> dict[str, Any]:
    """What stands above each view."""
    gates, claims = found.gates, found.claims
    return {
        "rows_all": found.rows,
        "parts": roadmap_phases.parts(found.rows),
        "claims": claims,
        "proved": claims.number("proved"),
        "refuted": claims.number("refuted"),
        "inconclusive": claims.number("inconclusive"),
        "gates": gates,
        "tally": roadmap_phases.Tally.of(gates),
        "next_gate": next_gate(found.programmes),
        "headline": headline(),
        "moving": claims.moving,
        "rollouts": found.rollouts,
        "pulse": _pulse(found),
    }


def next_gate(programmes: Sequence[ProgrammeRows]) -> Judged | None:
    """Of the first phase that has one that fails, or has no data."""
    gates = (row.next_gate for each in programmes for row in each.rows)
    return next((gate for gate in gates if gate), None)


def headline() -> compounding.Compounded | None:
    """Of the first programme that adds up what its phases bring."""
    made = (compounding.of_programme(each) for each in roadmap().programmes)
    return next((one for one in made if one), None)


def _views(found: Standing) -> list[tuple[str, str, int | None, str]]:
    said = roadmap()
    numbers = {
        LIST: len(found.rows),
        "claims": len(found.claims.rows) + len(found.claims.open),
        "targets": len(said.targets) + len(said.kpis),
        "contradictions": len(said.contradictions),
        "decisions": len(said.adrs) + len(said.risks),
    }
    return [
        (name, label, numbers.get(name), Wish(view=name).link()) for name, label in VIEWS.items()
    ]


def _view(wish: Wish, found: Standing) -> dict[str, Any]:
    match wish.view:
        case "plan":
            return _plan(found)
        case "list":
            return _list(wish, found)
        case "claims":
            return _claims(wish, found)
        case "targets":
            return _targets(wish, found)
        case "costs":
            return roadmap_money.load(standing.memory_mb())
    return roadmap_said.load(wish)


def _plan(found: Standing) -> dict[str, Any]:
    main = roadmap().programmes[0].id
    targets = roadmap_targets.targets(found.measured, Wish())
    return {
        "programmes": found.programmes,
        "claim_rows": found.claims.rows,
        "main_targets": next((rows for each, rows in targets if each.id == main), ()),
    }


def _list(wish: Wish, found: Standing) -> dict[str, Any]:
    rows = roadmap_rows.wanted(found.rows, wish)
    return {
        "rows": rows,
        "groups": roadmap_rows.groups(rows, wish),
        "states": _narrowed(wish, found, "state", {str(one): WORDS[one] for one, _ in ORDER}),
        "decisions": _narrowed(wish, found, "decision", DECISIONS),
        "evidence": _narrowed(wish, found, "evidence", EVIDENCE),
        "programmes": roadmap().programmes,
        "no_phase": NO_PHASE,
        "sorts": [(name, wish.link(sort=name)) for name in SORTS],
        "also": roadmap_said.found(wish, found.claims) if wish.q else [],
    }


def _narrowed(
    wish: Wish, found: Standing, name: str, words: Mapping[str, str]
) -> list[tuple[str, str, int, str]]:
    """Each value with how many rows it would leave, all else being as it is asked for."""
    told = []
    for value, label in ({"": f"Any {name}"} | dict(words)).items():
        other = wish.but(**{name: value})
        told.append((value, label, len(roadmap_rows.wanted(found.rows, other)), other.link()))
    return told


def _claims(wish: Wish, found: Standing) -> dict[str, Any]:
    return {
        "claim_rows": roadmap_claims.wanted(found.claims.rows, wish),
        "unmeasured": [one for one in found.claims.open if wish.finds(*roadmap_claims.texts(one))],
    }


def _targets(wish: Wish, found: Standing) -> dict[str, Any]:
    return {
        "targets": roadmap_targets.targets(found.measured, wish),
        "kpis": roadmap_targets.kpis(found.measured, wish),
    }


def _pulse(found: Standing) -> str:
    """Changes when what is shown does: each view asks for itself then."""
    said = repr(
        [
            [(row.key, row.seen.state, row.seen.status.words, row.verdict) for row in found.rows],
            [(gate.id, gate.state) for gate in found.gates],
            [row.newest and row.newest.pk for row in found.claims.rows],
            [(one.key, one.blocks_done) for one in found.claims.moving],
            [(one.id, one.revision, one.state, one.stage) for one in found.rollouts],
        ]
    )
    return blake2b(said.encode(), digest_size=6).hexdigest()
