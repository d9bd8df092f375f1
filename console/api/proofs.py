"""The proof of one item's verdict, as a bundle that `manage.py verify` takes."""

from typing import Annotated, Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from ninja import Query, Router, Schema
from pydantic import Field

from console import afresh
from console.access.roles import Role
from console.access.tokens import Caller
from console.api.auth import viewer
from console.api.problems import Problem
from console.proofs import NoProof, download, proof_of
from validation import services
from validation.models import Run

router = Router(tags=["Runs"])

_MOST = 2**31 - 1


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
    What was kept of an accusation, or made now, which asks the nodes and needs the role operator.
    503 with Retry-After while others are made, or where no node answers in time.
    """
    caller: Caller = request.auth  # type: ignore[attr-defined]  # ninja puts there what auth gave
    run, item = _found(run_id, ordinal)
    try:
        document = proof_of(
            run, item, may_ask=caller.role.covers(Role.OPERATOR), wants_new=wanted.now
        )
    except PermissionDenied as exc:
        raise Problem(403, str(exc)) from exc
    except NoProof as exc:
        raise Problem(409, str(exc)) from exc
    except afresh.NotNow as exc:
        retry = {"Retry-After": str(afresh.RETRY_AFTER_S)}
        raise Problem(503, str(exc), headers=retry) from exc
    return download(run, ordinal, document)


def _found(run_id: int, ordinal: int) -> tuple[Run, services.ItemRow]:
    run = Run.objects.filter(pk=run_id).first() if run_id < 2**63 else None
    if run is None:
        raise Http404(f"There is no run {run_id}.")
    items = services.items_page(run, after=ordinal - 1, limit=1) if ordinal <= _MOST else []
    if not items or items[0].ordinal != ordinal:
        raise Http404(f"{run} has no item {ordinal}.")
    return run, items[0]
