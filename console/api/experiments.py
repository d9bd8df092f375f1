"""Claims and experiments: what is claimed against what was measured; measuring, cancelling."""
# ruff: noqa: ARG001 - ninja finds the request by its name

from datetime import datetime
from typing import Annotated, Any, Literal

from django.http import Http404, HttpRequest
from ninja import Field, Query, Router, Schema, Status

from console.api.asked import COMMON, Asked, body
from console.api.auth import operator, viewer
from console.api.flag_rows import actor_of
from console.experiments import acts, claims, running, standing, telling
from console.experiments.acts import MOST_PAIRS, MOST_SEED
from console.experiments.models import Experiment as Row
from console.experiments.standing import Standing
from console.roadmap.effects import LEAST_PAIRS

router = Router(tags=["Evidence"])

_START = body(
    {
        "claim": {"type": "string", "description": "Its key, as /api/v1/claims names it."},
        "pairs": {
            "type": "integer",
            "minimum": LEAST_PAIRS,
            "maximum": MOST_PAIRS,
            "description": "Of each kind; absent: as the claim plans.",
        },
        "seed": {
            "type": "integer",
            "minimum": 0,
            "maximum": MOST_SEED,
            "description": "Of the order of its blocks; absent: drawn.",
        },
        "reason": COMMON["reason"],
    },
    ("claim", "reason"),
    {"claim": "fetch-parallel", "pairs": 12, "reason": "The release is older than our nodes"},
)
_CANCEL = body({"reason": COMMON["reason"]}, ("reason",), {"reason": "The machine is needed"})


class ExperimentBlock(Schema):
    """One arm's turn. `kind` ab: baseline against treatment; aa: the baseline against itself."""

    ordinal: int
    pair: int
    kind: Literal["ab", "aa"]
    side: Literal["a", "b"]
    variant: str
    began_at: datetime
    took_s: float
    figures: dict[str, float]


class Experiment(Schema):
    """One measurement of one claim. `claimed`: the claim as it was then; `found`: effect, noise and
    guards, {} before its end. `verdict` null: it came to none. `shipped`: measured by the release,
    elsewhere. `blocks`, its raw figures, are null unless they are asked for.
    """

    experiment: int
    claim: str
    claimed: dict[str, Any]
    optimisations: list[str]
    flag: str
    baseline: str
    treatment: str
    state: Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
    verdict: Literal["proved", "refuted", "inconclusive"] | None
    why: str
    found: dict[str, Any]
    pairs: int
    seed: int
    began_at: datetime | None
    ended_at: datetime | None
    machine: dict[str, Any]
    code_revision: str
    flag_revision: int
    actor: str
    shipped: bool
    repeat: str
    blocks: list[ExperimentBlock] | None = None


class Experiments(Schema):
    """Newest first, without blocks. `next` is the `before` of the following page, null on the
    last.
    """

    experiments: list[Experiment]
    next: int | None


class ExperimentFilter(Schema):
    claim: Annotated[str, Field(max_length=80, pattern="^[^\\x00]*$")] = ""
    before: Annotated[int | None, Field(ge=1, le=2**63 - 1)] = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class Evidence(Schema):
    """The change from baseline to treatment, and the 95 % interval that it lies in."""

    estimate: float
    low: float
    high: float
    at: datetime
    experiment: int
    shipped: bool


class Claim(Schema):
    """A claim of a source. `claimed` null: it names no figure; of `scale` ratio it is a share of
    the baseline's. `measured` null: nothing was. `reached`: whether the claimed figure was; null
    where none is claimed, or nothing measured. Not `measurable`: `why` says why not here, and it
    stays open. `running`: the experiment that measures it now, or waits to.
    """

    claim: str
    title: str
    optimisations: list[str]
    flag: str
    source: str
    says: str
    measurable: bool
    why: str
    metric: str | None
    scale: Literal["ratio", "difference"] | None
    claimed: float | None
    measured: Evidence | None
    verdict: Literal["proved", "refuted", "inconclusive"] | None
    reached: bool | None
    words: str
    running: int | None


class Claims(Schema):
    """All of this release: those that can be measured here first."""

    claims: list[Claim]


@router.get("/claims", auth=viewer, response=Claims, summary="Read claimed against measured")
def list_claims(request: HttpRequest) -> dict[str, Any]:
    """By what was measured here; where nothing was, by what the release brought."""
    return {"claims": [_of_claim(each) for each in standing.of()]}


@router.get("/experiments", auth=viewer, response=Experiments, summary="List experiments")
def list_experiments(request: HttpRequest, filters: Query[ExperimentFilter]) -> dict[str, Any]:
    """The newest first, paged by `before`, of one claim where it is named."""
    running.expire()
    rows = Row.objects.order_by("-pk")
    rows = rows.filter(claim=filters.claim) if filters.claim else rows
    rows = rows.filter(pk__lt=filters.before) if filters.before else rows
    page = list(rows[: filters.limit + 1])
    shown = page[: filters.limit]
    following = shown[-1].pk if len(page) > len(shown) else None
    told = [telling.as_object(row, blocks=False) for row in shown]
    return {"experiments": told, "next": following}


@router.post(
    "/experiments",
    auth=operator,
    response={202: Experiment},
    openapi_extra=_START,
    summary="Measure a claim",
)
def measure(request: HttpRequest) -> Status[dict[str, Any]]:
    """Waits for its turn, and runs on engines, a node and a cache database of its own. 409 where
    the claim is being measured already, or cannot be measured here.
    """
    asked = Asked(request, "claim", "pairs", "seed", "reason")
    key = asked.text("claim")
    made = acts.measure(
        actor_of(request),
        key,
        pairs=asked.whole("pairs") if "pairs" in asked else _planned(key),
        seed=asked.whole("seed") if "seed" in asked else None,
        reason=asked.text("reason", ""),
    )
    made.refresh_from_db()
    return Status(202, telling.as_object(made, blocks=False))


@router.get(
    "/experiments/{experiment}", auth=viewer, response=Experiment, summary="Read an experiment"
)
def get_experiment(
    request: HttpRequest, experiment: int, *, blocks: bool = False
) -> dict[str, Any]:
    """With `blocks=true` all of its raw figures, in the order in which they were measured."""
    running.expire()
    return telling.as_object(_found(experiment), blocks=blocks)


@router.post(
    "/experiments/{experiment}/cancel",
    auth=operator,
    response=Experiment,
    openapi_extra=_CANCEL,
    summary="Cancel an experiment",
)
def cancel(request: HttpRequest, experiment: int) -> dict[str, Any]:
    """What runs ends after its block, without a verdict; what was measured is kept."""
    asked = Asked(request, "reason")
    acts.cancel(actor_of(request), _found(experiment), reason=asked.text("reason", ""))
    return telling.as_object(_found(experiment), blocks=False)


def _found(pk: int) -> Row:
    row = Row.objects.filter(pk=pk).first()
    if row is None:
        raise Http404(f"There is no experiment {pk}: /api/v1/experiments lists them.")
    return row


def _planned(key: str) -> int | None:
    """None of a claim that is not there: the act says so."""
    claim = claims.claims().get(key)
    return claim.plan.pairs if claim else None


def _of_claim(each: Standing) -> dict[str, Any]:
    claim, newest = each.claim, each.newest
    return {
        "claim": each.key,
        "title": each.title,
        "optimisations": each.optimisations,
        "flag": each.flag,
        "source": each.source,
        "says": each.says,
        "measurable": claim is not None,
        "why": each.why,
        "metric": claim and claim.metric,
        "scale": claim and claim.scale,
        "claimed": claim and claim.expected,
        "measured": newest and _measured(newest),
        "verdict": each.verdict or None,
        "reached": newest and newest.found["claimed_reached"],
        "words": each.words,
        "running": each.running and each.running.pk,
    }


def _measured(row: Row) -> dict[str, Any]:
    effect = row.found["effect"]
    return {
        **{name: effect[name] for name in ("estimate", "low", "high")},
        "at": row.began_at,
        "experiment": row.pk,
        "shipped": row.shipped,
    }
