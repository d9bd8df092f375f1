"""What the sources say beside their optimisations: contradictions, decisions, risks; a search."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from console.pages.roadmap_claims import Claims
from console.pages.roadmap_wish import Wish
from console.pages.states import State
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Adr, Contradiction, Risk

KINDS: Final[Mapping[str, str]] = {
    "disagreement": "they disagree",
    "reckoning": "does not add up",
    "defect": "would not do what it says",
}
HERE: Final[Mapping[str, State]] = {
    "followed": State(glyph="closed", word="Followed"),
    "adapted": State(glyph="half", word="Adapted"),
    "superseded": State(glyph="idle", word="Superseded"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Also:
    """Something else that a search finds; `link` is within the roadmap."""

    kind: str
    title: str
    link: str


def load(wish: Wish) -> dict[str, Any]:
    said = roadmap()
    return {
        "contradictions": [
            (each, KINDS[each.kind]) for each in said.contradictions if wish.finds(*_disputed(each))
        ],
        "adrs": [(each, HERE[each.here]) for each in said.adrs if wish.finds(*_decided(each))],
        "risks": [each for each in said.risks if wish.finds(*_feared(each))],
    }


def found(wish: Wish, claims: Claims) -> list[Also]:
    """Whatever is no optimisation, by the same words."""
    said = roadmap()
    pairs: Iterable[tuple[str, str, str, str, tuple[str, ...]]] = [
        *(
            ("claim", "claims", row.claim.key, row.claim.title, (row.claim.key, row.claim.says))
            for row in claims.rows
        ),
        *(("target", "targets", each.id, each.metric, (each.note,)) for each in said.targets),
        *(("key figure", "targets", each.id, f"{each.group}: {each.metric}", ())
          for each in said.kpis),
        *(("contradiction", "contradictions", each.id, each.subject, _disputed(each))
          for each in said.contradictions),
        *(("decision", "decisions", each.id, each.title, _decided(each)) for each in said.adrs),
        *(("risk", "decisions", each.id, each.title, _feared(each)) for each in said.risks),
    ]  # fmt: skip
    return [
        Also(kind=kind, title=title, link=f"{Wish(view=view).link()}#{key}")
        for kind, view, key, title, texts in pairs
        if wish.finds(key, title, *texts)
    ]


def _disputed(each: Contradiction) -> tuple[str, ...]:
    said = (one.says for one in each.said)
    return (each.id, each.subject, each.choice, each.why, *each.optimisations, *each.flags, *said)


def _decided(each: Adr) -> tuple[str, ...]:
    return (each.id, each.title, each.context, each.decided, each.choice, each.why)


def _feared(each: Risk) -> tuple[str, ...]:
    return (each.id, each.title, each.theirs, each.ours)
