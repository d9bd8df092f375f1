"""Runs: start, list, follow, read, cancel, retry."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest, HttpResponse
from ninja import Query, Router, Schema, Status
from pydantic import Field

from console.access.tokens import Caller
from console.api.auth import operator, viewer
from console.api.intake import read_intake
from console.exports import stream_results
from validation import services, words
from validation.models import Run
from validation.run_search import searched

router = Router(tags=["Runs"])


class Started(Schema):
    """A run that was accepted; poll `url`."""

    id: int
    total: int
    url: str


class RunProgress(Schema):
    """Where a run stands. `rate` (items a second) and `eta_s` are null while they are unknown."""

    id: int
    state: Literal["draft", "running", "done", "cancelled"]
    total: int
    done: int
    valid: int
    invalid: int
    not_found: int
    unverifiable: int
    error: int
    rate: float | None
    eta_s: float | None


class RunListed(RunProgress):
    title: str
    level: int | None
    agreement: int | None
    created_at: datetime
    finished_at: datetime | None


class RunList(Schema):
    """Newest first. `next` is the `before` of the following page, null on the last."""

    runs: list[RunListed]
    next: int | None


class RunFilter(Schema):
    """`q`: words of the title or their beginnings, or an id (`V-12`)."""

    q: Annotated[str, Field(max_length=200, pattern="^[^\\x00]*$")] = ""
    state: Literal["draft", "running", "done", "cancelled"] | None = None
    before: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class RetryFilter(Schema):
    verdict: Literal["invalid", "not_found", "unverifiable", "error"] | None = None
    reason: Annotated[str | None, Field(pattern="^[a-z_]{1,40}$")] = None


_LINE_BODY = {"schema": {"type": "string"}}
_START_BODY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "description": "The same key by the same user gives back the run it made first.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 200},
        },
        {
            "name": "accept",
            "in": "query",
            "description": "`valid` starts the good items where others are malformed.",
            "schema": {"type": "string", "enum": ["valid"]},
        },
        {
            "name": "level",
            "in": "query",
            "description": "For bodies that cannot say it themselves (NDJSON, CSV).",
            "schema": {"type": "integer", "minimum": 0, "maximum": 5},
        },
        {
            "name": "agreement",
            "in": "query",
            "description": "As `level`: for bodies that cannot say it themselves.",
            "schema": {"type": "integer", "minimum": 2, "maximum": 64},
        },
        {"name": "title", "in": "query", "schema": {"type": "string", "maxLength": 200}},
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "required": ["items"],
                    "properties": {
                        "items": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                        "level": {"type": ["integer", "null"], "minimum": 0, "maximum": 5},
                        "agreement": {
                            "type": ["integer", "null"],
                            "minimum": 2,
                            "maximum": 64,
                            "description": "How many nodes must say the same; null: one is "
                            "enough. At most as many as are in service.",
                        },
                        "title": {"type": "string", "maxLength": 200},
                    },
                },
                "example": {"items": ["block:1-100", "head"], "level": 2},
            },
            "application/x-ndjson": _LINE_BODY,
            "text/csv": _LINE_BODY,
            "text/plain": _LINE_BODY,
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "level": {"type": "integer", "minimum": 0, "maximum": 5},
                        "agreement": {"type": "integer", "minimum": 2, "maximum": 64},
                        "title": {"type": "string", "maxLength": 200},
                    },
                }
            },
        },
    },
}


@router.post(
    "/runs",
    auth=operator,
    response={202: Started},
    openapi_extra=_START_BODY,
    summary="Start a run",
)
def start(request: HttpRequest, response: HttpResponse) -> Status[dict[str, Any]]:
    """Validates the items of the body: subjects such as `tx:0x…`, `block:1-5000`, `address:0x…`,
    `head`. Malformed lines are listed (422) and nothing starts, unless `accept=valid` says so.
    """
    caller = _caller(request)
    with read_intake(request) as intake:
        run = services.start_run(
            intake.entries,
            level=intake.level,
            agreement=intake.agreement,
            origin="api",
            created_by=caller.user,
            title=intake.title,
            idempotency_key=intake.idempotency_key,
            request_digest=intake.digest,
            on_malformed="accept" if intake.accept_valid else "refuse",
        )
    return _started(request, response, run)


@router.get("/runs", auth=viewer, response=RunList, summary="List runs")
def list_runs(request: HttpRequest, filters: Query[RunFilter]) -> dict[str, Any]:
    """The newest runs first, paged by `before`."""
    text = filters.q.strip()
    found = searched(text).order_by(words.apart("id").desc() if text else "-id")
    if filters.state:
        found = found.filter(state=filters.state)
    if filters.before:
        found = found.filter(id__lt=filters.before)
    page = list(found[: filters.limit + 1])
    shown = page[: filters.limit]
    progress = services.progress([run.pk for run in shown])
    rows = [_listed(run, progress[run.pk]) for run in shown if run.pk in progress]
    return {"runs": rows, "next": shown[-1].pk if len(page) > len(shown) else None}


@router.get("/runs/{int:run_id}", auth=viewer, response=RunProgress, summary="Follow a run")
def get_run(request: HttpRequest, run_id: int) -> services.Progress:
    """Counts by verdict, rate and estimated seconds left."""
    progress = services.progress([run_id]) if run_id < 2**63 else {}
    if run_id not in progress:
        raise Http404(f"There is no run {run_id}.")
    return progress[run_id]


@router.get("/runs/{int:run_id}/results", auth=viewer, response=None, summary="Read results")
def get_results(request: HttpRequest, run_id: int) -> Any:
    """NDJSON, streamed: one object a line, those of `validate --json`; what is done so far."""
    return stream_results(_run(run_id), "ndjson")


@router.post(
    "/runs/{int:run_id}/cancel", auth=operator, response=RunProgress, summary="Cancel a run"
)
def cancel(request: HttpRequest, run_id: int) -> services.Progress:
    """Stops it; what is validated stays. 409 when it has ended already."""
    run = services.cancel_run(_run(run_id))
    return services.progress([run.pk])[run.pk]


@router.post(
    "/runs/{int:run_id}/retry", auth=operator, response={202: Started}, summary="Retry what failed"
)
def retry(
    request: HttpRequest, response: HttpResponse, run_id: int, which: Query[RetryFilter]
) -> Status[dict[str, Any]]:
    """A new run of the items that are not valid: all, or those of a verdict or a reason
    (`reorganised`: verdicts taken back). 409 while the run goes on or has none.
    """
    run = services.retry_run(
        _run(run_id),
        origin="api",
        created_by=_caller(request).user,
        verdict=which.verdict or "",
        reason=which.reason or "",
    )
    return _started(request, response, run)


def _caller(request: HttpRequest) -> Caller:
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    return caller


def _run(run_id: int) -> Run:
    run = Run.objects.filter(pk=run_id).first() if run_id < 2**63 else None
    if run is None:
        raise Http404(f"There is no run {run_id}.")
    return run


def _started(request: HttpRequest, response: HttpResponse, run: Run) -> Status[dict[str, Any]]:
    url = request.build_absolute_uri(f"/api/v1/runs/{run.pk}")
    response["Location"] = url
    return Status(202, {"id": run.pk, "total": run.total, "url": url})


def _listed(run: Run, progress: services.Progress) -> dict[str, Any]:
    own = {name: getattr(progress, name) for name in RunProgress.model_fields}
    return own | {
        "title": run.title,
        "level": run.level,
        "agreement": run.agreement,
        "created_at": run.created_at,
        "finished_at": run.finished_at,
    }
