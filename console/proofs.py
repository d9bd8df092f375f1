"""The proof bundle of an item, for a page and for the API alike: kept, or made now."""

from django.core.exceptions import PermissionDenied
from django.http import HttpResponse

from console import afresh
from validation import evidence, kept
from validation.models import Run
from validation.services import ItemRow
from validation.validators import Verdict


class NoProof(Exception):
    """Why there is none of this item, in words for a person."""


def proof_of(run: Run, item: ItemRow, *, may_ask: bool, wants_new: bool = False) -> bytes:
    """The document. What was kept of an accusation is anybody's to read; to make one asks nodes,
    which `may_ask` allows. PermissionDenied, `NoProof` or `afresh.NotNow` say why there is none.
    """
    held = None if wants_new else kept.bundle(run, item.ordinal)
    if held is None:
        if not may_ask:
            raise PermissionDenied(
                "No proof is kept of this item. To make one asks the nodes, which needs the role "
                "operator."
            )
        made = afresh.examine(run, item.subject)
        if made.packed is None and made.outcome.verdict is Verdict.ERROR:
            raise afresh.NoAnswer(made.why_none)
        if made.packed is None:
            raise NoProof(made.why_none)
        held = made.packed
    return evidence.document(held)


def download(run: Run, ordinal: int, document: bytes) -> HttpResponse:
    response = HttpResponse(document, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{run}-{ordinal}.proof.json"'
    response["Cache-Control"] = "no-store"
    return response
