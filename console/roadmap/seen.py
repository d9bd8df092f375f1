"""The roadmap as it stands: the sources' words, the decision, how far it is, people's edits."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from console.flags.models import Flag
from console.roadmap import compounding, costs, decisions, status
from console.roadmap.edits import UnknownOptimisation, told
from console.roadmap.models import Edit, Optimisation
from console.roadmap.programmes import Roadmap, roadmap
from console.roadmap.rows import Adr, Contradiction, Planned, Programme, as_json
from console.roadmap.status import State, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One optimisation. `edit` None: nobody wrote anything of it."""

    row: decisions.Optimisation
    planned: Planned
    status: Status
    edit: Edit | None
    contradictions: tuple[Contradiction, ...]
    adrs: tuple[Adr, ...]

    @property
    def state(self) -> State:
        """As it is shown: what an admin said, or what follows."""
        said = self.edit.status if self.edit else ""
        return State(said) if said else self.status.state

    @property
    def priority(self) -> str:
        return (self.edit.priority if self.edit else "") or self.planned.priority


def all_of_them() -> tuple[Seen, ...]:
    """Those of this release that are loaded, in the order of the sources; three queries."""
    rows = Optimisation.objects.filter(released=True).select_related("edit")
    return _seen(rows)


def one(key: str) -> Seen:
    """Raises UnknownOptimisation."""
    found = _seen(Optimisation.objects.filter(pk=key[:20], released=True).select_related("edit"))
    if not found:
        raise UnknownOptimisation(f"There is no optimisation {key[:40]!r} in this release.")
    return found[0]


def _seen(rows: Iterable[Optimisation]) -> tuple[Seen, ...]:
    found, flags, told_of = roadmap(), _flags(), status.findings()
    return tuple(
        _one(row, found, flags, told_of.get(row.pk, ())) for row in rows if row.pk in found.planned
    )


def _one(
    row: Optimisation,
    found: Roadmap,
    flags: Mapping[str, Flag],
    told_of: tuple[status.Finding, ...],
) -> Seen:
    decided, planned = decisions.by_id(row.pk), found.planned[row.pk]
    return Seen(
        row=decided,
        planned=planned,
        status=status.derive(decided, planned, flags, told_of),
        edit=getattr(row, "edit", None),
        contradictions=found.contradictions_of(row.pk),
        adrs=found.adrs_of(row.pk),
    )


def _flags() -> dict[str, Flag]:
    return {flag.key: flag for flag in Flag.objects.filter(builtin=True)}


def in_json(each: Seen) -> dict[str, Any]:
    """`status` is what is derived, `state` what is shown; contradictions and decisions by id."""
    planned = as_json(each.planned)
    return {
        **asdict(each.row),
        **{name: planned[name] for name in planned if name != "id"},
        "state": str(each.state),
        "status": each.status.as_json(),
        "edit": edit_in_json(each.edit),
        "contradictions": [one.id for one in each.contradictions],
        "adrs": [one.id for one in each.adrs],
    }


def edit_in_json(edit: Edit | None) -> dict[str, Any] | None:
    if edit is None:
        return None
    return told(edit) | {
        "status_reason": edit.status_reason,
        "revision": edit.revision,
        "actor": edit.actor,
        "reason": edit.reason,
        "changed_at": edit.changed_at.isoformat(),
    }


def programmes_in_json(found: Roadmap) -> list[dict[str, Any]]:
    """With what gains compound to, and hours added up."""
    return [_programme(found, each) for each in found.programmes]


def everything_in_json(found: Roadmap) -> dict[str, Any]:
    """All but the optimisations."""
    entries = {
        "targets": found.targets,
        "kpis": found.kpis,
        "thresholds": found.thresholds,
        "risks": found.risks,
        "contradictions": found.contradictions,
        "adrs": found.adrs,
    }
    return {
        "programmes": programmes_in_json(found),
        **{name: [as_json(row) for row in rows] for name, rows in entries.items()},
        "costs": [asdict(each) for each in costs.returns(found)],
    }


def _programme(found: Roadmap, each: Programme) -> dict[str, Any]:
    made = compounding.of_programme(each)
    phases = [
        as_json(phase) | {"hours_added": (hours := costs.hours(found, phase)).added,
                          "hours_unsaid": hours.unsaid}
        for phase in each.phase
    ]  # fmt: skip
    return as_json(each) | {"phase": phases, "compounding": asdict(made) if made else None}
