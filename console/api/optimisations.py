"""The roadmap: what the sources propose and say, what became of it, and what people wrote of it."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Router, Schema

from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.flag_rows import actor_of
from console.flags.models import Flag
from console.flags.standing import Standing
from console.roadmap import edits, seen
from console.roadmap.edits import UnknownOptimisation
from console.roadmap.programmes import roadmap
from console.roadmap.seen import Seen

router = Router(tags=["Roadmap"])

_TEXT = {"type": ["string", "null"], "description": "Absent: as it is. Empty or null: not written."}
_EDIT = body(
    {
        "owner": {**_TEXT, "maxLength": 160},
        "note": {**_TEXT, "maxLength": 4000},
        "priority": {**_TEXT, "enum": [*edits.PRIORITIES, "", None]},
        "due": {**_TEXT, "description": "A day, as 2030-01-31. Empty or null: not written."},
        "status": {**_TEXT, "description": "In the place of what is derived; an admin's to say."},
        **COMMON,
    },
    ("reason",),
    {"owner": "Ada", "due": "2030-01-31", "reason": "Agreed in the weekly meeting"},
)


class Steers(Schema):
    """A flag that turns it on and off; how it stands now, null where there is none such here."""

    key: str
    words: str | None
    stage: int | None


class Effect(Schema):
    """From `low` to `high` of `unit`, less being negative; in `words` where no figure is said."""

    metric: str
    low: float | None
    high: float | None
    unit: str
    words: str


class Found(Schema):
    """What was found about it. `holds` null: it could not be said."""

    optimisation: str
    kind: str
    key: str
    holds: bool | None
    words: str


class Status(Schema):
    """What follows from flags and from what was found. `share`: percent of the units that have it;
    null where no flag decides.
    """

    state: Literal["not_built", "off", "partial", "in_force", "done"]
    words: str
    share: int | None
    found: list[Found]


class Written(Schema):
    """What people wrote of it; empty is not written."""

    owner: str
    note: str
    priority: str
    due: str
    status: str
    status_reason: str
    revision: int
    actor: str
    reason: str
    changed_at: str


class Optimisation(Schema):
    """`lines` are those of the source. `rollback` says how to take it back; `test` guards what is
    permanent. Not `built`: nothing of it is in this release. Places and `tests` are of the system
    that the source describes. `state`: what an admin said, or what follows.
    """

    id: str
    programme: str
    title: str
    lines: str
    decision: Literal["flag", "permanent", "deployment"]
    reason: str
    rollback: str
    test: str
    built: bool
    flags: list[Steers]
    phase: str
    location: list[str]
    priority: str
    effort_h: float | None
    effects: list[Effect]
    criteria: list[str]
    tests: list[str]
    depends: list[str]
    same_as: list[str]
    state: str
    status: Status
    edit: Written | None
    contradictions: list[str]
    adrs: list[str]


class OptimisationList(Schema):
    optimisations: list[Optimisation]


class Roadmap(Schema):
    """What the sources say, typed as their files are; `compounding` of a programme is in percent,
    `costs` in $ and times what was spent.
    """

    programmes: list[dict[str, Any]]
    targets: list[dict[str, Any]]
    kpis: list[dict[str, Any]]
    thresholds: list[dict[str, Any]]
    risks: list[dict[str, Any]]
    contradictions: list[dict[str, Any]]
    adrs: list[dict[str, Any]]
    costs: list[dict[str, Any]]


@router.get("/optimisations", auth=viewer, response=OptimisationList, summary="List optimisations")
def list_optimisations(request: HttpRequest) -> dict[str, Any]:
    """In the order of the sources, each with its flags, and how far it is."""
    known = {flag.key: flag for flag in Flag.objects.all()}
    return {"optimisations": [_told(each, known) for each in seen.all_of_them()]}


@router.get(
    "/optimisations/{optimisation}",
    auth=viewer,
    response=Optimisation,
    summary="Read an optimisation",
)
def get_optimisation(request: HttpRequest, optimisation: str) -> dict[str, Any]:
    return _of(optimisation)


@router.post(
    "/optimisations/{optimisation}/edit",
    auth=operator,
    response=Optimisation,
    openapi_extra=_EDIT,
    summary="Write of an optimisation",
)
def edit_optimisation(request: HttpRequest, optimisation: str) -> dict[str, Any]:
    """Owner, note, priority, due day, and an admin's status. Releases leave it as it is; it can be
    taken back in the trail.
    """
    asked = Asked(request, *edits.FIELDS, "reason", "revision")
    wanted = {name: asked.text_or_none(name) for name in edits.FIELDS if name in asked}
    try:
        edits.edit(
            actor_of(request),
            optimisation,
            wanted,
            reason=asked.text("reason", ""),
            based_on=asked.revision(),
        )
    except UnknownOptimisation as exc:
        raise Http404(str(exc)) from exc
    return _of(optimisation)


@router.get("/roadmap", auth=viewer, response=Roadmap, summary="Read the roadmap")
def get_roadmap(request: HttpRequest) -> dict[str, Any]:
    """Programmes with their phases, targets, key figures, thresholds, risks, contradictions with
    what was chosen, decisions and costs reckoned again; the optimisations have a list of their own.
    """
    return seen.everything_in_json(roadmap())


def _of(key: str) -> dict[str, Any]:
    try:
        found = seen.one(key)
    except UnknownOptimisation as exc:
        raise Http404(str(exc)) from exc
    keys = found.row.flags
    return _told(found, {flag.key: flag for flag in Flag.objects.filter(key__in=keys)})


def _told(each: Seen, known: dict[str, Flag]) -> dict[str, Any]:
    flags = [_steers(key, known.get(key)) for key in each.row.flags]
    return seen.in_json(each) | {"flags": flags}


def _steers(key: str, flag: Flag | None) -> dict[str, Any]:
    if flag is None:
        return {"key": key, "words": None, "stage": None}
    return {"key": key, "words": Standing.of(flag).words, "stage": flag.stage}
