"""Drills: what a node would have to do to fool this deployment, level by level."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from typing import Any, Literal

import msgspec
from django.http import HttpRequest
from ninja import Router, Schema

from console import drills
from console.access.audit import Actor
from console.access.tokens import Caller
from console.api.auth import operator, viewer
from console.api.problems import Problem
from console.controls import names
from validation.drill import LEVELS, Report

router = Router(tags=["Nodes"])
_RETRY = {"Retry-After": "20"}


class Cell(Schema):
    """One lie about one kind of item at one level. `by`: the check that failed, or the reason."""

    level: int
    kind: str
    told: Literal["believed", "denied", "doubted", "refused", "caught", "harmless", "untold"]
    by: str
    detail: str
    is_pinned: bool


class Lie(Schema):
    """`promises`: the level from which it must be caught, by kind; null: none does. `cells` are
    empty where the node has nothing to tell it about.
    """

    lie: str
    says: str
    caught_by: str
    why: str
    promises: dict[str, int | None]
    is_harmless: bool
    cells: list[Cell]


class Example(Schema):
    """What lies were told about; `level` is the highest that the truth is valid at, -1: none."""

    kind: str
    subject: str
    verdict: str
    level: int
    reason: str
    is_pinned: bool


class Drill(Schema):
    """`fooled_by`: by level the lies that are believed there. `made_at` in epoch seconds."""

    node: str
    made_at: float
    ms: float
    calls: int
    checkpoint: str
    is_whole: bool
    items: list[Example]
    fooled_by: dict[str, list[str]]
    rows: list[Lie]


@router.get("/nodes/{label}/drill", auth=viewer, response=Drill, summary="Read a node's last drill")
def get_drill(request: HttpRequest, label: str) -> dict[str, Any]:
    """Kept for a day; 404 where there is none."""
    name = names.from_address(label)
    report = drills.last(name)
    if report is None:
        raise Problem(404, f"No drill of {name} is kept: POST here runs one.")
    return _row(report)


@router.post("/nodes/{label}/drill", auth=operator, response=Drill, summary="Drill a node")
def run_drill(request: HttpRequest, label: str) -> dict[str, Any]:
    """Asks the node for a few true answers, and tells every known lie about them on this side.
    Changes nothing; takes up to a minute. 503 while another runs, 502 where the node gives
    nothing to drill with.
    """
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    try:
        return _row(drills.run(Actor.by_api(caller), names.from_address(label)))
    except drills.Drilling as busy:
        raise Problem(503, str(busy), headers=_RETRY) from busy
    except drills.Undrilled as failed:
        raise Problem(502, str(failed)) from failed


def _row(report: Report) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(report)
    fooled_by = {str(level): [row.lie for row in report.believed(level)] for level in LEVELS}
    return told | {"fooled_by": fooled_by}
