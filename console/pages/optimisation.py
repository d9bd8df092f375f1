"""One optimisation: what is said of it, what was decided and measured, and the three acts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from console import fleetview
from console.access.models import AuditEntry
from console.experiments import models as experiments
from console.experiments import standing as evidence
from console.flags import reading
from console.flags.catalogue import BY_KEY
from console.fleetview import Fleet
from console.http import render_page
from console.pages import (
    history,
    optimisation_evidence,
    optimisation_rollout,
    roadmap_phases,
    roadmap_states,
)
from console.pages.flag_rows import Row, row_of
from console.pages.optimisation_evidence import Claimed
from console.pages.optimisation_rollout import DrillRow, RolloutRow
from console.pages.states import State
from console.rehearsals import models as rehearsals
from console.roadmap import edits, seen
from console.roadmap.edits import UnknownOptimisation
from console.roadmap.gates import standing as gates
from console.roadmap.gates.judged import Judged
from console.roadmap.programmes import roadmap
from console.roadmap.rows import Effect, Phase
from console.roadmap.seen import Seen
from console.roadmap.status import Finding
from console.rollouts import models as rollouts
from console.rollouts import seen as rollouts_seen
from validation.models import ControlKind

TEMPLATE = "console/optimisation.html"
REGIONS = (
    *("status", "standing", "evidence", "rollouts", "gates", "sources", "decision"),
    *("disagreements", "written", "history"),
)
_DECISIONS = {
    "flag": "A flag decides it",
    "permanent": "Permanent: nobody would want the old behaviour back",
    "deployment": "A matter of the deployment: no process decides it",
}
_KINDS = {"evidence": "Evidence", "drill": "Drill"}
_HOLDS: Mapping[bool | None, State] = {
    True: State(glyph="closed", word="Holds"),
    False: State(glyph="open", word="Does not hold"),
    None: State(glyph="idle", word="Not known"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Steered:
    """One of its flags: how it stands, its rollout, and a drill of the target that would be next.

    `targets` are the variants that the source asks for, or better.
    """

    row: Row
    targets: tuple[str, ...]
    rollout: RolloutRow | None
    drill: DrillRow

    @property
    def key(self) -> str:
        return self.row.flag.key

    @property
    def is_active(self) -> bool:
        return self.rollout is not None and self.rollout.seen.is_active

    @property
    def why_no_ramp(self) -> str:
        """Is "" where a guarded rollout may be asked for."""
        flag = self.row.flag
        if self.is_active:
            return "A rollout is under way."
        if flag.why_not:
            return flag.why_not
        if not flag.enabled:
            return "The flag is off: whoever asks goes by its own default."
        is_everywhere = flag.stage == 100 and flag.target in self.targets  # noqa: PLR2004 - percent
        if is_everywhere or (flag.stage == 0 and flag.rest in self.targets):
            return "Everybody has it."
        return ""


@require_safe
def show(request: HttpRequest, key: str) -> HttpResponse:
    context = {**standing(find(key)), "topics": f"optimisation:{key}"}
    return render_page(request, TEMPLATE, "", context)


def find(key: str) -> Seen:
    try:
        return seen.one(key)
    except UnknownOptimisation as error:
        raise Http404(f"{error} /roadmap/ lists them.") from error


def standing(found: Seen) -> dict[str, Any]:
    """What the regions show."""
    key = found.row.id
    told = evidence.of(key)
    claimed = [row for each in told if (row := optimisation_evidence.claimed_of(each))]
    steered = flags_of(found, fleetview.look())
    return {
        "section": "roadmap",
        "key": key,
        "found": found,
        "row": found.row,
        "planned": found.planned,
        "edit": found.edit,
        "programme": roadmap().programme(found.row.programme),
        "phase": _phase(found),
        "state": roadmap_states.of(found.state, found.status),
        "derived": roadmap_states.of(found.status.state, found.status),
        "findings": findings_of(found.status.found),
        "decided": _DECISIONS[found.row.decision],
        "effects": [said(effect) for effect in found.planned.effects],
        "claims": claimed,
        "unmeasured": [each for each in told if each.claim is None],
        "best": _first(claimed),
        "flags": steered,
        "automation": rollouts_seen.automation() if steered else None,
        "rollable": [each for each in steered if each.row.can_roll_back],
        "rampable": [each for each in steered if not each.why_no_ramp],
        "rollouts": [each.rollout for each in steered if each.rollout],
        "gates": [
            (roadmap_phases.gate_state(each), _written(each.wanted), each) for each in _gates(key)
        ],
        "history": history.entries(_acts(found, [each.claim.key for each in claimed])),
        "why_no_measure": "" if claimed else _why_no_measure(told),
    }  # fmt: skip


def flags_of(found: Seen, fleet: Fleet) -> list[Steered]:
    """Those that are there, in the order of the decision."""
    if not found.row.flags:
        return []
    views = {view.key: view for view in reading.flags(fleet)}
    return [
        _steered(row_of(views[key]), targets_of(found, key))
        for key in found.row.flags
        if key in views
    ]


def targets_of(found: Seen, flag: str) -> tuple[str, ...]:
    """The variants that the source asks for; where it names none, all but the baseline."""
    definition = BY_KEY[flag]
    every = tuple(name for name in definition.variants if name != definition.baseline)
    return tuple(found.planned.variants.get(flag, every))


def target_of(row: Row, targets: Sequence[str]) -> str:
    """That a rollout begins with unless told: the flag's own, where the source asks for it."""
    flag = row.flag
    shipped = BY_KEY[flag.key].ships if flag.key in BY_KEY else ""
    return next((name for name in (flag.target, shipped) if name in targets), targets[0])


def said(effect: Effect) -> tuple[str, str]:
    """Metric and figures: `−70 to −60 %`."""
    if effect.low is None or effect.high is None:
        return effect.metric, effect.words
    low, high = (f"{value:+.4g}".replace("-", "\u2212") for value in (effect.low, effect.high))
    figure = low if effect.low == effect.high else f"{low} to {high}"
    words = f", {effect.words}" if effect.words else ""
    return effect.metric, f"{figure}\u202f{effect.unit}{words}"


def _steered(row: Row, targets: tuple[str, ...]) -> Steered:
    key = row.flag.key
    rollout = optimisation_rollout.of(key)
    active = rollout is not None and rollout.seen.is_active
    target = rollout.seen.target if rollout and active else target_of(row, targets)
    return Steered(
        row=row,
        targets=targets,
        rollout=rollout,
        drill=optimisation_rollout.drill_of(key, target),
    )


def _phase(found: Seen) -> Phase | None:
    phases = roadmap().programme(found.row.programme).phase
    return next((each for each in phases if each.id == found.planned.phase), None)


def _first(claimed: Sequence[Claimed]) -> Claimed | None:
    """The one that stands for all: the worst that is measured, or whichever there is."""
    measured = [each for each in claimed if each.found]
    worst = {"refuted": 0, "inconclusive": 1, "proved": 2}
    measured.sort(key=lambda each: worst.get(each.standing.verdict, 3))
    return next(iter((*measured, *claimed)), None)


def findings_of(found: Sequence[Finding]) -> list[tuple[str, State, str]]:
    """By whom, whether it holds, and what; what stands in the way first. Gates have a table of
    their own, so here they are one line.
    """
    judged = [each for each in found if each.kind == "gate"]
    others = _sorted([each for each in found if each.kind != "gate"])
    told = [(_KINDS.get(each.kind, each.kind), _HOLDS[each.holds], each.words) for each in others]
    return [*told, _together(judged)] if judged else told


def _together(judged: Sequence[Finding]) -> tuple[str, State, str]:
    counts = [
        (sum(each.holds is holds for each in judged), words)
        for holds, words in ((False, "fail"), (None, "have no data"), (True, "pass"))
    ]
    said = ", ".join(f"{number} {words}" for number, words in counts if number)
    worst = min((each.holds for each in judged), key=_ORDER.__getitem__)
    return "Gates", _HOLDS[worst], f"Of {len(judged)}: {said}."


_ORDER: Mapping[bool | None, int] = {False: 0, None: 1, True: 2}


def _written(wanted: str) -> str:
    return wanted.replace(">=", "≥").replace("<=", "≤")


def _sorted(found: Sequence[Finding]) -> list[Finding]:
    """What stands in the way first."""
    return sorted(found, key=lambda each: (_ORDER[each.holds], each.kind))


def _gates(key: str) -> list[Judged]:
    return [each for each in gates.judge_all() if key in each.optimisations]


def _why_no_measure(told: Sequence[evidence.Standing]) -> str:
    if told:
        return f"It cannot be measured here: {told[0].why}"
    return "Nothing that is claimed of it can be said in figures here."


def _acts(found: Seen, claims: Sequence[str]) -> Iterable[AuditEntry]:
    """On it, on its flags, and what was measured, rehearsed and rolled out of it."""
    of_flags = (ControlKind.FLAGS, rehearsals.KIND, rollouts.KIND)
    wanted = (
        Q(kind=edits.KIND, target=found.row.id)
        | Q(kind=experiments.KIND, target__in=claims)
        | Q(kind__in=of_flags, target__in=found.row.flags)
    )
    return AuditEntry.objects.filter(wanted)[: history.SHOWN]
