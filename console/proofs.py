"""The proof bundle of an item, for a page and for the API alike: kept, or made now."""

from django.http import HttpResponse

from console import afresh
from validation import evidence, kept
from validation.models import Run
from validation.services import ItemRow
from validation.validators import Verdict


class NoProof(Exception):
    """Why there is none of this item, in words for a person."""


def kept_proof(run: Run, item: ItemRow) -> bytes | None:
    """The document that was kept of an accusation, which is anybody's to read."""
    held = kept.bundle(run, item.ordinal)
    return None if held is None else evidence.document(held)


def new_proof(run: Run, item: ItemRow) -> bytes:
    """The document, made now: it asks nodes. `NoProof` or `afresh.NotNow` say why there is none."""
    made = afresh.examine(run, item.subject)
    if made.packed is None and made.outcome.verdict is Verdict.ERROR:
        raise afresh.NoAnswer(made.why_none)
    if made.packed is None:
        raise NoProof(made.why_none)
    return evidence.document(made.packed)


def download(run: Run, ordinal: int, document: bytes) -> HttpResponse:
    response = HttpResponse(document, content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{run}-{ordinal}.proof.json"'
    response["Cache-Control"] = "no-store"
    return response
