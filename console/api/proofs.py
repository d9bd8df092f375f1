"""The proof of one item's verdict, as a bundle that `manage.py verify` takes."""

from typing import Annotated, Any

from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from console import afresh
from console.access.roles import Role
from console.access.tokens import Caller
from console.api.auth import viewer
from console.api.problems import Problem
from console.proofs import NoProof, download, kept_proof, new_proof
from validation import services
from validation.models import Run

router = Router(tags=["Runs"])

_MOST = 2**31 - 1
_NEEDS_OPERATOR = (
    "No proof is kept of this item. To make one asks the nodes, which needs the role operator."
)


class ProofFilter(Schema):
    now: Annotated[bool, Field(description="Ask the nodes, also where a proof was kept.")] = False


@router.get(
    "/runs/{int:run_id}/items/{int:ordinal}/proof",
    auth=viewer,
    response=None,
    summary="Read the proof of an item",
)
def get_proof(request: HttpRequest, run_id: int, ordinal: int, wanted: Query[ProofFilter]) -> Any:
    """One JSON document (docs/proof-bundle.md): every question, its raw answer, and the verdict.
    What was kept of an accusation, or made now, which asks the nodes and needs the role operator;
    HEAD asks none. 503 with Retry-After while others are made, or where no node answers in time.
    """
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    run, item = _found(run_id, ordinal)
    document = None if wanted.now else kept_proof(run, item)
    if document is None:
        # `guarded` calls a HEAD a GET.
        document = _made(run, item, caller, is_head=request.META["REQUEST_METHOD"] == "HEAD")
    return download(run, ordinal, document)


def _made(run: Run, item: services.ItemRow, caller: Caller, *, is_head: bool) -> bytes:
    if not caller.role.covers(Role.OPERATOR):
        raise Problem(403, _NEEDS_OPERATOR)
    if is_head:
        raise Problem(409, "No proof is kept of this item: GET makes one.")
    try:
        return new_proof(run, item)
    except NoProof as exc:
        raise Problem(409, str(exc)) from exc
    except afresh.NotNow as exc:
        retry = {"Retry-After": str(afresh.RETRY_AFTER_S)}
        raise Problem(503, str(exc), headers=retry) from exc


def _found(run_id: int, ordinal: int) -> tuple[Run, services.ItemRow]:
    run = Run.objects.filter(pk=run_id).first() if run_id < 2**63 else None
    if run is None:
        raise Http404(f"There is no run {run_id}.")
    items = services.items_page(run, after=ordinal - 1, limit=1) if ordinal <= _MOST else []
    if not items or items[0].ordinal != ordinal:
        raise Http404(f"{run} has no item {ordinal}.")
    return run, items[0]
