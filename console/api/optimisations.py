"""What became of each optimisation that the sources propose: a flag, permanent, or deployment."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from dataclasses import asdict
from typing import Any, Literal

from django.http import HttpRequest
from ninja import Router, Schema

from console.api.auth import viewer
from console.flags.models import Flag
from console.flags.standing import Standing
from console.roadmap import decisions

router = Router(tags=["Roadmap"])


class Steers(Schema):
    """A flag that turns it on and off; how it stands now, null where there is none such here."""

    key: str
    words: str | None
    stage: int | None


class Optimisation(Schema):
    """`lines` are those of the source. `rollback` says how to take it back; `test` guards what is
    permanent. Not `built`: nothing of it is in this release.
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


class OptimisationList(Schema):
    optimisations: list[Optimisation]


@router.get("/optimisations", auth=viewer, response=OptimisationList, summary="List optimisations")
def list_optimisations(request: HttpRequest) -> dict[str, Any]:
    """In the order of the sources, each with the flags behind which it stands."""
    known = {flag.key: flag for flag in Flag.objects.all()}
    return {
        "optimisations": [
            asdict(row) | {"flags": [_steers(key, known.get(key)) for key in row.flags]}
            for row in decisions.optimisations()
        ]
    }


def _steers(key: str, flag: Flag | None) -> dict[str, Any]:
    if flag is None:
        return {"key": key, "words": None, "stage": None}
    return {"key": key, "words": Standing.of(flag).words, "stage": flag.stage}
