"""The fleet's limits, what to set for so many workers, and whether ten instances could run."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from dataclasses import asdict
from typing import Annotated, Any

from django.http import HttpRequest
from ninja import Query, Router, Schema

from console import capacity
from console.api.auth import viewer
from console.capacity import MOST_WORKERS
from console.capacity.limit import as_json

router = Router(tags=["Capacity"])


class Limit(Schema):
    """`holds` null: it is not known, which is never fine. What has no end, or is not known, is
    null; `age_s` is that of the oldest figure in it.
    """

    key: str
    title: str
    uses: float | None
    allows: float | None
    unit: str
    holds: bool | None
    explains: str
    fix: str
    source: str
    age_s: float | None


class Recommended(Schema):
    """A setting for these workers; `now` is empty where that is not known."""

    name: str
    now: str
    wanted: str
    line: str
    why: str


class Point(Schema):
    """Of what ten instances need; `holds` null: it could not be looked at."""

    key: str
    title: str
    holds: bool | None
    said: str
    fix: str


class Capacity(Schema):
    """Limits that are broken come first, then those that nobody knows. `workers` are those
    reckoned with, null where that is not known.
    """

    workers: int | None
    violated: list[str]
    unknown: list[str]
    limits: list[Limit]
    recommended: list[Recommended]
    readiness: list[Point]


@router.get("/capacity", auth=viewer, response=Capacity, summary="See the capacity")
def see_capacity(
    request: HttpRequest, workers: Annotated[int | None, Query(ge=1, le=MOST_WORKERS)] = None
) -> dict[str, Any]:
    """As the fleet is or, with `workers`, as it would be with so many."""
    found = capacity.capacity(workers)
    return {
        "workers": found.workers,
        "violated": [one.key for one in found.violated],
        "unknown": [one.key for one in found.unknown],
        "limits": [as_json(one) for one in found.limits],
        "recommended": [asdict(one) for one in found.recommended],
        "readiness": [asdict(one) for one in found.readiness],
    }
