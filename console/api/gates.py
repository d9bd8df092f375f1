"""The gates of the sources, judged by what is measured; and what is measured of their targets."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from collections import Counter
from dataclasses import asdict
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema

from console.api.auth import viewer
from console.roadmap import costs
from console.roadmap.gates import standing
from console.roadmap.gates.standing import UnknownPhase
from console.roadmap.programmes import roadmap

router = Router(tags=["Roadmap"])


class Gate(Schema):
    """`value` null: there is no figure, and `why` says it. `wanted` and `value` are in `unit`;
    `samples` are what was counted in `window_s` seconds, `least` how many it takes. `kind`:
    "phase gate", "criterion", "deliverables", "kpi" or "quality gate". `link`: where its figures
    are shown, "" nowhere. `by`: what it rests on; what is held by a "test" of the release, or is in
    the "release", was not measured.
    """

    id: str
    phase: str
    programme: str
    kind: str
    title: str
    source: str
    lines: str
    state: Literal["pass", "fail", "no_data", "not_measurable"]
    value: float | None
    wanted: str
    unit: str
    window_s: float
    samples: int
    least: int
    why: str
    link: str
    optimisations: list[str]
    by: Literal["measured", "experiment", "test", "release", "nothing"]


class Counts(Schema):
    """Gates by their state. What is not known is never a pass; `held_by_test` and `in_release` are
    those of `passed` that nobody measured.
    """

    passed: int
    held_by_test: int
    in_release: int
    failed: int
    no_data: int
    not_measurable: int


class Gates(Schema):
    counts: Counts
    gates: list[Gate]


class Measured(Schema):
    """Of a target or key figure, by its id in `/roadmap`. `value` null: `why` says why not.
    `points` are of the last day, oldest first, null where nothing is known. `meets` the last mark,
    `reached` are those that it meets; null: it cannot be said.
    """

    id: str
    value: float | None
    unit: str
    why: str
    points: list[float | None]
    link: str
    age_s: float | None
    meets: bool | None
    reached: list[str]


class Memory(Schema):
    """What memory costs a month at the source's price, in $: of the source before and after, and
    of what is measured here; null: not known.
    """

    before_mb: float
    after_mb: float
    before: float
    after: float
    measured_mb: float | None
    measured: float | None


class Targets(Schema):
    measured: list[Measured]
    memory: Memory


@router.get("/gates", auth=viewer, response=Gates, summary="Judge the gates")
def list_gates(
    request: HttpRequest, phase: Annotated[str | None, Query(max_length=40)] = None
) -> dict[str, Any]:
    """All of them or, with `phase`, those of a phase (`roadmap.1`) or programme (`roadmap`); as of
    the last ten seconds.
    """
    try:
        found = standing.judge_all(phase)
    except UnknownPhase as exc:
        raise Http404(str(exc)) from exc
    told = Counter(one.state for one in found)
    held = Counter(one.by for one in found if one.state == "pass")
    counts = {
        "passed": told["pass"],
        "held_by_test": held["test"],
        "in_release": held["release"],
        "failed": told["fail"],
        "no_data": told["no_data"],
        "not_measurable": told["not_measurable"],
    }
    return {"counts": counts, "gates": [asdict(one) for one in found]}


@router.get("/targets", auth=viewer, response=Targets, summary="Read what targets are measured at")
def list_targets(request: HttpRequest) -> dict[str, Any]:
    """Every target and key figure of the roadmap with what is measured of it, and memory priced."""
    told = [{"id": key, **asdict(one)} for key, one in standing.measured().items()]
    memory = costs.memory(roadmap(), standing.memory_mb())
    return {"measured": told, "memory": asdict(memory)}
