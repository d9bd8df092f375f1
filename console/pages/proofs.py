"""An item validated again now, and its proof bundle as a file."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.http import require_http_methods

from console import afresh
from console.access.roles import requires
from console.pages import items
from console.proofs import NoProof, download, kept_proof, new_proof


@require_http_methods(["GET", "HEAD", "POST"])
@requires("operator")
def again(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    """Shows the fresh outcome beside the one that stands, which it does not change. Only looked
    at, the address asks nobody: a browser that went back comes here.
    """
    run, item = items.found(pk, ordinal)
    if request.method != "POST":
        return items.page(request, run, item)
    try:
        now = afresh.examine(run, item.subject)
    except afresh.NotNow as exc:
        return _refused(items.page(request, run, item, problem=str(exc), status=503))
    return items.page(request, run, item, now=now)


@require_http_methods(["GET", "HEAD", "POST"])
def proof(request: HttpRequest, pk: int, ordinal: int) -> HttpResponseBase:
    """The bundle that was kept; posted to, one made now."""
    return (_made if request.method == "POST" else _kept)(request, pk, ordinal)


def _kept(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    run, item = items.found(pk, ordinal)
    document = kept_proof(run, item)
    if document is None:
        problem = (
            "No proof is kept of this item: only of what accuses a node. The button Proof bundle "
            "makes one, which asks the nodes and needs the role operator."
        )
        return items.page(request, run, item, problem=problem, status=404)
    return download(run, ordinal, document)


@requires("operator")
def _made(request: HttpRequest, pk: int, ordinal: int) -> HttpResponse:
    run, item = items.found(pk, ordinal)
    try:
        document = new_proof(run, item)
    except afresh.NotNow as exc:
        return _refused(items.page(request, run, item, problem=str(exc), status=503))
    except NoProof as exc:
        return items.page(request, run, item, problem=str(exc), status=409)
    return download(run, ordinal, document)


def _refused(response: HttpResponse) -> HttpResponse:
    response["Retry-After"] = str(afresh.RETRY_AFTER_S)
    return response
