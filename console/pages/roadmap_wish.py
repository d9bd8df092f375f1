"""What the address of the roadmap asks for: a view, what its list is narrowed to, and its order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Final

from django.http import QueryDict

from console.roadmap.decisions import PROGRAMMES
from console.roadmap.programmes import roadmap
from console.roadmap.status import State

PLAN: Final = "plan"
LIST: Final = "list"
VIEWS: Final[Mapping[str, str]] = {
    PLAN: "Plan",
    LIST: "Optimisations",
    "claims": "Claims",
    "targets": "Targets",
    "contradictions": "Contradictions",
    "decisions": "Decisions and risks",
    "costs": "Costs",
}
DECISIONS: Final[Mapping[str, str]] = {
    "flag": "behind a flag",
    "permanent": "permanent",
    "deployment": "deployment",
}
EVIDENCE: Final[Mapping[str, str]] = {
    "proved": "proved",
    "refuted": "refuted",
    "inconclusive": "inconclusive",
    "none": "not measured",
}
SORTS: Final = ("source", "state", "priority", "effort", "evidence")
NO_PHASE: Final = "none"
_LONGEST = 100
_PLAIN = ("sort", "source")
_FILTERS: Final = ("programme", "phase", "state", "decision", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """`refused`: what was asked for and cannot be, each in a sentence; the rest is as asked."""

    view: str = PLAN
    programme: str = ""
    phase: str = ""
    state: str = ""
    decision: str = ""
    evidence: str = ""
    q: str = ""
    sort: str = "source"
    refused: tuple[str, ...] = ()

    @classmethod
    def of(cls, query: QueryDict) -> "Wish":
        known = _known()
        refused, given = [], {}
        for name, values in known.items():
            asked = query.get(name, "")
            if not asked or asked in values:
                given[name] = asked
            else:
                refused.append(f"{name}: {asked[:40]!r} is none of {_listed(values)}.")
        words = " ".join(query.get("q", "").replace("\x00", "").split())
        if len(words) > _LONGEST:
            refused.append(f"q: at most {_LONGEST} characters are searched for.")
        narrows = bool(words) or any(given.get(name) for name in _FILTERS)
        view = given.pop("view", "") or (LIST if narrows else PLAN)
        sort = given.pop("sort", "") or "source"
        return cls(view=view, sort=sort, q=words[:_LONGEST], refused=tuple(refused), **given)

    @property
    def narrows(self) -> bool:
        return bool(self.q) or any(getattr(self, name) for name in _FILTERS)

    @property
    def words(self) -> tuple[str, ...]:
        return tuple(self.q.lower().split())

    @property
    def kept(self) -> list[tuple[str, str]]:
        """What a form that picks programme and phase leaves as it is."""
        names = ("state", "decision", "evidence", "q", "sort")
        found = ((name, getattr(self, name)) for name in names)
        return [(name, value) for name, value in found if value and (name, value) != _PLAIN]

    def but(self, **changes: str) -> "Wish":
        """The same with other values."""
        return replace(self, refused=(), **changes)

    def link(self, **changes: str) -> str:
        """The address of it, with what is changed; what is as it is anyhow is not named."""
        wished, plain, query = self.but(**changes), Wish(), QueryDict(mutable=True)
        for field in fields(wished):
            value = getattr(wished, field.name)
            if field.name != "refused" and value != getattr(plain, field.name):
                query[field.name] = value
        return f"?{query.urlencode()}"

    def finds(self, *texts: str) -> bool:
        """Whether each of the words is somewhere in these."""
        told = " ".join(texts).lower()
        return all(word in told for word in self.words)


def _known() -> Mapping[str, Iterable[str]]:
    phases = [phase.id for each in roadmap().programmes for phase in each.phase]
    return {
        "view": VIEWS,
        "programme": PROGRAMMES,
        "phase": (*phases, NO_PHASE),
        "state": tuple(map(str, State)),
        "decision": DECISIONS,
        "evidence": EVIDENCE,
        "sort": SORTS,
    }


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
